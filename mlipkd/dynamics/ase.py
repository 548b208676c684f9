"""Dynamics by ASE, with any calculator: constant energy, and constant temperature.

Constant energy by velocity Verlet; constant temperature by a Nosé–Hoover chain: G. J. Martyna et
al., J. Chem. Phys. 97, 2635 (1992), doi 10.1063/1.463940.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from ase import Atoms
from ase.calculators.calculator import CalculationFailed, Calculator
from ase.md.nose_hoover_chain import NoseHooverChainNVT
from ase.md.verlet import VelocityVerlet

from mlipkd.dynamics.trajectories import (
    DAMPING,
    Advance,
    FailureWatch,
    Frame,
    NVERun,
    RunawayError,
)
from mlipkd.jobs.progress import progress
from mlipkd.units import FEMTOSECOND


def run_nve(
    calculator: Calculator,
    starts: Sequence[Atoms],
    timestep: float,
    steps: int,
    closest: float,
    description: str,
) -> list[NVERun]:
    """Run every start at constant energy until it fails or its steps are done.

    Args:
        calculator: of energy and forces.
        starts: periodic structures with their momenta.
        timestep: fs.
        steps: of each run.
        closest: a run in which two atoms come closer has failed, Å.
        description: of the progress bar.
    """
    return [
        _run_nve(calculator, start, timestep, steps, closest, f"{description}, run {number}")
        for number, start in enumerate(starts)
    ]


def _run_nve(
    calculator: Calculator,
    start: Atoms,
    timestep: float,
    steps: int,
    closest: float,
    description: str,
) -> NVERun:
    atoms = start.copy()
    atoms.calc = calculator
    watch = FailureWatch(start, closest)
    dynamics = VelocityVerlet(atoms, timestep * FEMTOSECOND)
    energies: list[float] = []
    failed = False
    try:
        for _ in progress(dynamics.irun(steps), steps + 1, description):
            energies.append(atoms.get_total_energy())
            moves = atoms.get_velocities() * dynamics.dt
            failed = watch.has_failed(atoms.positions, moves, energies[-1])
            if failed:
                break
    except CalculationFailed:
        energies.append(np.nan)
        failed = True
    atoms.calc = None
    return NVERun(timestep, np.array(energies), failed, atoms)


@contextmanager
def ase_nvt(
    calculator: Calculator, start: Atoms, timestep: float, closest: float
) -> Iterator[Advance]:
    """Open ASE for constant temperature on a periodic structure with momenta.

    Args:
        calculator: of energy, forces and stress.
        start: left as it is.
        timestep: fs.
        closest: atoms that come closer have collided, Å.
    """
    atoms = start.copy()
    atoms.calc = calculator
    watch = FailureWatch(start, closest)
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
        without_calculator = atoms.copy()
        without_calculator.calc = None
        return Frame(without_calculator, atoms.get_potential_energy(), -np.trace(stress) / 3)

    yield advance
