"""NVE dynamics from given starts, each run by itself: ASE's velocity Verlet, any calculator."""

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.calculators.calculator import CalculationFailed, Calculator
from ase.md.verlet import VelocityVerlet

from mlipkd.dynamics.trajectory import Trajectory, Watch
from mlipkd.progress import progress
from mlipkd.units import FEMTOSECOND


def run_nve(
    calculator: Calculator,
    starts: Sequence[Atoms],
    timestep: float,
    steps: int,
    closest: float,
    description: str,
) -> list[Trajectory]:
    """Run every start until it fails or its steps are done.

    Args:
        calculator: of energy and forces.
        starts: periodic structures with their momenta.
        timestep: fs.
        steps: of each run.
        closest: a run in which two atoms come closer has failed, Å.
        description: of the bar that shows how far it is.
    """
    return [
        _run(calculator, start, timestep, steps, closest, f"{description}, run {number}")
        for number, start in enumerate(starts)
    ]


def _run(
    calculator: Calculator,
    start: Atoms,
    timestep: float,
    steps: int,
    closest: float,
    description: str,
) -> Trajectory:
    atoms = start.copy()
    atoms.calc = calculator
    watch = Watch(start, closest)
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
    return Trajectory(timestep, np.array(energies), failed, atoms)
