"""Units: eV, Å, fs inside; conversion at the edge and nowhere else.

A reader multiplies what it reads by one of these factors, a table divides by one. Values are those
of ASE (CODATA 2014), so that numbers agree with the calculators users compare with.
"""

from ase import units as _ase

HARTREE = _ase.Hartree  # eV
KCAL_MOL = _ase.kcal / _ase.mol  # eV
KJ_MOL = _ase.kJ / _ase.mol  # eV
BOHR = _ase.Bohr  # Å
NANOMETRE = _ase.nm  # Å
GRAM_PER_CM3 = 1e-3 * _ase.kg / (1e-2 * _ase.m) ** 3  # u/Å^3
FEMTOSECOND = _ase.fs  # ASE's unit of time; divide an ASE time by it to get fs

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
