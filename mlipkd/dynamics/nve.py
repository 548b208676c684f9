"""Trajectories at constant energy: what is known of one, and when it has failed.

NVE dynamics from given starts, each run by itself: ASE's velocity Verlet, any calculator.

NVE dynamics from given starts, all runs in one batch: torch-sim's velocity Verlet.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from ase import Atoms
from ase.calculators.calculator import CalculationFailed, Calculator
from ase.md.verlet import VelocityVerlet
from torch_sim.integrators.md import MDState
from torch_sim.integrators.nve import nve
from torch_sim.io import atoms_to_state
from torch_sim.models.interface import ModelInterface
from torch_sim.quantities import calc_kinetic_energy
from vesin import NeighborList

from mlipkd.dynamics.frames import moved
from mlipkd.jobs.progress import progress
from mlipkd.units import FEMTOSECOND

#: Reach of the watch beyond the closest approach, Å; its list is made anew when atoms have moved by
#: half of it. A list of so few pairs costs next to nothing to keep.
SKIN = 1.0


@dataclass(frozen=True)
class Trajectory:
    """One run, as far as it went."""

    timestep: float
    """fs"""
    energies: np.ndarray
    """(steps + 1,) potential and kinetic energy together, at the start and after each step, eV."""
    failed: bool
    """Whether it failed; its last energy may then be anything."""
    end: Atoms
    """The structure after the last step, with its momenta."""

    @property
    def duration(self) -> float:
        """How long it lasted, fs."""
        return (len(self.energies) - 1) * self.timestep

    @property
    def drift(self) -> float:
        """Slope of the total energy by least squares, eV/atom/fs; NaN without a step."""
        if len(self.energies) < 2:
            return np.nan
        times = np.arange(len(self.energies)) * self.timestep  # (steps + 1,)
        return np.polyfit(times, self.energies, deg=1)[0] / len(self.end)


class Watch:
    """Tells whether a run has failed, step after step.

    It has when its energy is not finite; when two atoms are closer than they may be; or when an
    atom flies by half the cell or more in one step, and nobody can tell any longer which of its
    images it is.
    """

    def __init__(self, start: Atoms, closest: float) -> None:
        """A watch for the run that begins with this periodic structure; ``closest`` in Å."""
        self.cell, self.inverse = start.cell.array, np.linalg.inv(start.cell.array)
        self.before = start.positions
        heights = 1 / np.linalg.norm(self.inverse, axis=0)  # (3,)
        self.farthest = heights.min() / 2
        self.search = NeighborList(cutoff=closest, full_list=False, skin=SKIN, n_threads=1)

    def has_failed(self, positions: np.ndarray, moves: np.ndarray, energy: float) -> bool:
        """Whether it has failed by now.

        Args:
            positions: (atoms, 3), Å.
            moves: (atoms, 3), velocities times the time step, Å.
            energy: potential and kinetic, eV.
        """
        if not np.isfinite(energy) or not np.abs(moves).max(initial=0) < self.farthest:
            return True
        # Integrators put atoms back into the cell, which the search would take for a long way.
        crossed = np.rint((positions - self.before) @ self.inverse)  # (atoms, 3)
        self.before = positions - crossed @ self.cell
        (contacts,) = self.search.compute(self.before, self.cell, True, quantities="i")
        return len(contacts) > 0


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


def run_nve_batch(
    model: ModelInterface,
    starts: Sequence[Atoms],
    timestep: float,
    steps: int,
    closest: float,
    description: str,
) -> list[Trajectory]:
    """Run all starts side by side; those that have failed leave.

    Args:
        model: of energy and forces.
        starts: periodic structures with their momenta.
        timestep: fs.
        steps: of each run.
        closest: a run in which two atoms come closer has failed, Å.
        description: of the bar that shows how far it is.
    """
    state = state_of(starts, model)
    # As in ASE, the unit of time is that of Å, eV and u.
    step = timestep * FEMTOSECOND
    _, advance = nve(model, dt=state.positions.new_tensor(step), kT=torch.tensor(0.0))
    watches = [Watch(start, closest) for start in starts]
    energies: list[list[float]] = [[] for _ in starts]
    found: dict[int, Trajectory] = {}

    def finish(run: int, positions: np.ndarray, momenta: np.ndarray, failed: bool) -> None:
        end = moved(starts[run], positions, momenta)
        found[run] = Trajectory(timestep, np.array(energies[run]), failed, end)

    running = list(range(len(starts)))
    for number in progress(range(steps + 1), steps + 1, description):
        if number > 0:
            state = advance(state)
        kinetic = calc_kinetic_energy(
            masses=state.masses, momenta=state.momenta, system_idx=state.system_idx
        )
        totals = (state.energy + kinetic).tolist()
        positions, momenta, velocities = (
            by_system(state, values)
            for values in (state.positions, state.momenta, state.velocities)
        )
        failed = []
        for place, run in enumerate(running):
            energies[run].append(totals[place])
            if watches[run].has_failed(positions[place], velocities[place] * step, totals[place]):
                failed.append(place)
                finish(run, positions[place], momenta[place], failed=True)
        if failed:
            running = [run for run in running if run not in found]
            if not running:
                break
            state.pop(failed)
    else:
        for place, run in enumerate(running):
            finish(run, positions[place], momenta[place], failed=False)
    return [found[run] for run in range(len(starts))]


def state_of(starts: Sequence[Atoms], model: ModelInterface) -> MDState:
    """The starts as one state, with momenta, energies and forces."""
    plain = atoms_to_state(list(starts), model.device, model.dtype)
    momenta = np.concatenate([start.get_momenta() for start in starts])  # (atoms, 3)
    return MDState(
        **vars(plain), **model(plain), momenta=torch.from_numpy(momenta).to(plain.positions)
    )


def by_system(state: MDState, values: torch.Tensor) -> list[np.ndarray]:
    """Values of atoms, (atoms, 3), divided among the systems."""
    sizes = state.n_atoms_per_system.tolist()
    return [one.numpy() for one in values.cpu().split(sizes)]
