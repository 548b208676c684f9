"""Dynamics at constant volume and temperature: what engines have in common, and that of ASE.

A Nosé–Hoover chain in each: G. J. Martyna et al., J. Chem. Phys. 97, 2635 (1992), doi
10.1063/1.463940. An engine is opened with a start and then asked, again and again, to go on for
some steps at some temperature.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.calculators.calculator import CalculationFailed, Calculator
from ase.md.nose_hoover_chain import NoseHooverChainNVT

from mlipkd.dynamics.trajectory import Watch
from mlipkd.units import FEMTOSECOND

#: Time of the thermostat, fs.
DAMPING = 100.0


@dataclass(frozen=True)
class Frame:
    """A system at one moment."""

    atoms: Atoms
    """Positions, Å, and momenta; without a calculator."""
    energy: float
    """Potential energy, eV."""
    pressure: float
    """Of atoms and their motion, eV/Å^3."""


class RunawayError(Exception):
    """Atoms have collided or flown away; there is nothing to go on from."""


#: Goes on at a temperature, K, for some steps, and says what it has come to. Raises RunawayError.
Advance = Callable[[float, int], Frame]


@contextmanager
def ase_nvt(
    calculator: Calculator, start: Atoms, timestep: float, closest: float
) -> Iterator[Advance]:
    """Open ASE on a periodic structure with momenta.

    Args:
        calculator: of energy, forces and stress.
        start: left as it is.
        timestep: fs.
        closest: atoms that come closer have collided, Å.
    """
    atoms = start.copy()
    atoms.calc = calculator
    watch = Watch(start, closest)
    thermostats: dict[float, NoseHooverChainNVT] = {}

    def advance(temperature: float, steps: int) -> Frame:
        if temperature not in thermostats:
            thermostats[temperature] = NoseHooverChainNVT(
                atoms,
                timestep=timestep * FEMTOSECOND,
                temperature_K=temperature,
                tdamp=DAMPING * FEMTOSECOND,
            )
        try:
            for _ in thermostats[temperature].irun(steps):
                moves = atoms.get_velocities() * timestep * FEMTOSECOND
                if watch.has_failed(atoms.positions, moves, atoms.get_potential_energy()):
                    raise RunawayError
        except CalculationFailed as error:
            raise RunawayError from error
        stress = atoms.get_stress(voigt=False, include_ideal_gas=True)
        bare = atoms.copy()
        bare.calc = None
        return Frame(bare, atoms.get_potential_energy(), -np.trace(stress) / 3)

    yield advance
