"""Dynamics by torch-sim, all runs in one batch: constant energy, and constant temperature.

Constant energy by velocity Verlet; constant temperature by Langevin dynamics with the BAOAB
splitting: B. Leimkuhler, C. Matthews, Appl. Math. Res. Express 2013, 34 (2013). A run that has
failed leaves the batch; the others go on.
"""

from collections.abc import Sequence

import numpy as np
import torch
from ase import Atoms
from ase.units import kB
from torch_sim.integrators.md import MDState
from torch_sim.integrators.nve import nve
from torch_sim.integrators.nvt import nvt_langevin
from torch_sim.io import atoms_to_state
from torch_sim.models.interface import ModelInterface
from torch_sim.quantities import calc_kinetic_energy

from mlipkd.dynamics.trajectories import (
    FailureWatch,
    Frame,
    NVERun,
    NVTRun,
    with_positions_and_momenta,
)
from mlipkd.jobs.progress import progress
from mlipkd.units import FEMTOSECOND


def run_nve_batch(
    model: ModelInterface,
    starts: Sequence[Atoms],
    timestep: float,
    steps: int,
    closest: float,
    description: str,
) -> list[NVERun]:
    """Run all starts side by side at constant energy.

    Args:
        model: of energy and forces.
        starts: periodic structures with their momenta.
        timestep: fs.
        steps: of each run.
        closest: a run in which two atoms come closer has failed, Å.
        description: of the progress bar.
    """
    state = _state_of(starts, model)
    # As in ASE, the unit of time is that of Å, eV and u.
    step = timestep * FEMTOSECOND
    _, advance = nve(model, dt=state.positions.new_tensor(step), kT=torch.tensor(0.0))
    watches = [FailureWatch(start, closest) for start in starts]
    energies: list[list[float]] = [[] for _ in starts]
    ended: dict[int, NVERun] = {}

    def finish(run: int, positions: np.ndarray, momenta: np.ndarray, failed: bool) -> None:
        end = with_positions_and_momenta(starts[run], positions, momenta)
        ended[run] = NVERun(timestep, np.array(energies[run]), failed, end)

    running = list(range(len(starts)))
    for number in progress(range(steps + 1), steps + 1, description):
        if number > 0:
            state = advance(state)
        kinetic = calc_kinetic_energy(
            masses=state.masses, momenta=state.momenta, system_idx=state.system_idx
        )
        totals = (state.energy + kinetic).tolist()
        positions, momenta, velocities = _by_system(state)
        failed = []
        for place, run in enumerate(running):
            energies[run].append(totals[place])
            if watches[run].has_failed(positions[place], velocities[place] * step, totals[place]):
                failed.append(place)
                finish(run, positions[place], momenta[place], failed=True)
        if failed:
            running = [run for run in running if run not in ended]
            if not running:
                break
            state.pop(failed)
    else:
        for place, run in enumerate(running):
            finish(run, positions[place], momenta[place], failed=False)
    return [ended[run] for run in range(len(starts))]


def run_langevin_batch(
    model: ModelInterface,
    starts: Sequence[Atoms],
    temperature: float,
    timestep: float,
    friction: float,
    frames: int,
    every: int,
    closest: float,
    seed: int,
    description: str,
) -> list[NVTRun]:
    """Run all starts side by side at constant temperature.

    Args:
        model: of energy and forces.
        starts: periodic structures with their masses and momenta.
        temperature: K.
        timestep: fs.
        friction: 1/fs.
        frames: to take of each.
        every: steps from one frame to the next.
        closest: a run in which two atoms come closer has failed, Å.
        seed: of the noise.
        description: of the progress bar.
    """
    state = _state_of(starts, model)
    step = timestep * FEMTOSECOND
    dt, kT, gamma = (
        state.positions.new_tensor(value)
        for value in (step, kB * temperature, friction / FEMTOSECOND)
    )
    _, advance = nvt_langevin(model, dt=dt, kT=kT, gamma=gamma)
    watches = [FailureWatch(start, closest) for start in starts]
    runs = [NVTRun(start) for start in starts]
    running = list(range(len(starts)))
    # The integrator draws from PyTorch's own generator, which is left as it was.
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for number in progress(range(1, frames * every + 1), frames * every, description):
            state = advance(state)
            energies = state.energy.tolist()
            positions, momenta, velocities = _by_system(state)
            failed = []
            for place, run in enumerate(running):
                moves = velocities[place] * step
                if watches[run].has_failed(positions[place], moves, energies[place]):
                    runs[run].failed = True
                    failed.append(place)
                elif number % every == 0:
                    atoms = with_positions_and_momenta(
                        starts[run], positions[place], momenta[place]
                    )
                    runs[run].frames.append(Frame(atoms, energies[place]))
            if failed:
                running = [run for run in running if not runs[run].failed]
                if not running:
                    break
                state.pop(failed)
    return runs


def _state_of(starts: Sequence[Atoms], model: ModelInterface) -> MDState:
    """The starts as one state, with momenta, energies and forces."""
    plain = atoms_to_state(list(starts), model.device, model.dtype)
    momenta = np.concatenate([start.get_momenta() for start in starts])  # (atoms, 3)
    return MDState(
        **vars(plain), **model(plain), momenta=torch.from_numpy(momenta).to(plain.positions)
    )


def _by_system(state: MDState) -> list[list[np.ndarray]]:
    """Positions, momenta and velocities, of each system: (atoms, 3)."""
    sizes = state.n_atoms_per_system.tolist()
    return [
        [of_system.numpy() for of_system in values.cpu().split(sizes)]
        for values in (state.positions, state.momenta, state.velocities)
    ]
