"""Units: eV, Å, fs inside; conversion at the edge and nowhere else.

A reader multiplies what it reads by one of these factors, a table divides by one. Values are those
of ASE (CODATA 2014), so that numbers agree with the calculators users compare with.
"""

from math import pi, sqrt

# CODATA 2014, SI; derived as ASE derives them, to the last bit, without waiting for ASE
_SPEED_OF_LIGHT = 299792458.0
_PERMITTIVITY = 1 / (4.0e-7 * pi) / _SPEED_OF_LIGHT**2
_HBAR = 6.626070040e-34 / (2 * pi)
_CHARGE = 1.6021766208e-19
_ELECTRON_MASS = 9.10938356e-31
_ATOMIC_MASS = 1.660539040e-27
_AVOGADRO = 6.022140857e23

HARTREE = _ELECTRON_MASS * _CHARGE**3 / 16 / pi**2 / _PERMITTIVITY**2 / _HBAR**2  # eV
KJ_MOL = 1000.0 / _CHARGE / _AVOGADRO  # eV
KCAL_MOL = 4.184 * (1000.0 / _CHARGE) / _AVOGADRO  # eV
BOHR = 4e10 * pi * _PERMITTIVITY * _HBAR**2 / _ELECTRON_MASS / _CHARGE**2  # Å
NANOMETRE = 10.0  # Å
GRAM_PER_CM3 = 1e-3 * (1.0 / _ATOMIC_MASS) / (1e-2 * 1e10) ** 3  # u/Å^3
#: fs in ASE's unit of time; divide an ASE time by it to get fs.
FEMTOSECOND = 1e-15 * (1e10 * sqrt(_CHARGE / _ATOMIC_MASS))

ENERGY = {"eV": 1.0, "Ha": HARTREE, "kcal/mol": KCAL_MOL, "kJ/mol": KJ_MOL, "meV": 1e-3}
#: Å is the unit inside, so these are eV/Å, and those of Hessians eV/Å².
FORCE = {
    "eV/Å": 1.0,
    "kcal/mol/Å": KCAL_MOL,
    "kJ/mol/Å": KJ_MOL,
    "kJ/mol/nm": KJ_MOL / NANOMETRE,
    "Ha/Å": HARTREE,
    "Ha/bohr": HARTREE / BOHR,
}
HESSIAN = {
    "eV/Å^2": 1.0,
    "kcal/mol/Å^2": KCAL_MOL,
    "kJ/mol/Å^2": KJ_MOL,
    "Ha/Å^2": HARTREE,
    "Ha/bohr^2": HARTREE / BOHR**2,
}
LENGTH = {"Å": 1.0, "bohr": BOHR, "nm": NANOMETRE}
