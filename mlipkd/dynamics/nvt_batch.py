"""NVT dynamics of replicas, all in one batch: torch-sim's Langevin integrator.

BAOAB splitting: B. Leimkuhler, C. Matthews, Appl. Math. Res. Express 2013, 34 (2013). A replica
that has failed leaves; the others go on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from ase import Atoms
from ase.units import kB
from torch_sim.integrators.nvt import nvt_langevin
from torch_sim.models.interface import ModelInterface

from mlipkd.dynamics.frames import moved
from mlipkd.dynamics.nve import Watch, by_system, state_of
from mlipkd.jobs.progress import progress
from mlipkd.units import FEMTOSECOND


@dataclass
class Replica:
    """One trajectory, as far as it went."""

    frames: list[Atoms] = field(default_factory=list)
    """Positions, Å, and momenta."""
    energies: list[float] = field(default_factory=list)
    """Potential energy of each, eV."""
    failed: bool = False
    """Whether two beads came too close or one flew away."""


def run_nvt_batch(
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
) -> list[Replica]:
    """Run all starts side by side.

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
        description: of the bar that shows how far it is.
    """
    state = state_of(starts, model)
    step = timestep * FEMTOSECOND
    dt, kT, gamma = (
        state.positions.new_tensor(value)
        for value in (step, kB * temperature, friction / FEMTOSECOND)
    )
    _, advance = nvt_langevin(model, dt=dt, kT=kT, gamma=gamma)
    watches = [Watch(start, closest) for start in starts]
    replicas = [Replica() for _ in starts]
    running = list(range(len(starts)))
    # The integrator draws from PyTorch's own generator, which is left as it was.
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for number in progress(range(1, frames * every + 1), frames * every, description):
            state = advance(state)
            energies = state.energy.tolist()
            positions, momenta, velocities = (
                by_system(state, values)
                for values in (state.positions, state.momenta, state.velocities)
            )
            failed = []
            for place, run in enumerate(running):
                moves = velocities[place] * step
                if watches[run].has_failed(positions[place], moves, energies[place]):
                    replicas[run].failed = True
                    failed.append(place)
                elif number % every == 0:
                    frame = moved(starts[run], positions[place], momenta[place])
                    replicas[run].frames.append(frame)
                    replicas[run].energies.append(energies[place])
            if failed:
                running = [run for run in running if not replicas[run].failed]
                if not running:
                    break
                state.pop(failed)
    return replicas
