"""NVE dynamics from given starts, all runs in one batch: torch-sim's velocity Verlet."""

from collections.abc import Sequence

import numpy as np
import torch
from ase import Atoms
from torch_sim.integrators.md import MDState
from torch_sim.integrators.nve import nve
from torch_sim.io import atoms_to_state
from torch_sim.models.interface import ModelInterface
from torch_sim.quantities import calc_kinetic_energy

from mlipkd.dynamics.frames import moved
from mlipkd.dynamics.trajectory import Trajectory, Watch
from mlipkd.progress import progress
from mlipkd.units import FEMTOSECOND


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
