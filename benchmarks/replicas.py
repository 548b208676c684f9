"""Ensembles against single models in the dynamics of a coarse-grained liquid.

``python -m benchmarks.replicas`` prints a Markdown table. Beads of the deep eutectic solvent's
masses and density stand on a lattice and feel random models of the campaign's shapes, in two
replicas at constant temperature, as mlipkd evaluate replicas runs them.
"""

from functools import partial

import numpy as np
import torch
import typer
from ase import Atoms

from benchmarks.timing import Times, prepare, take_turns
from mlipkd.config.model import Architecture
from mlipkd.deploy.torch_sim import MLIPKD
from mlipkd.dynamics.torch_sim import run_langevin_batch
from mlipkd.dynamics.trajectories import with_velocities
from mlipkd.hipnn.file import Potential
from mlipkd.hipnn.initial import initialise
from mlipkd.hipnn.network import HIPNN

RANGE = {"n_interactions": 1, "soft_min": 2.5, "soft_max": 9.0, "hard_max": 10.0}
TEACHER = Architecture(l_max=2, atom_layers=3, width=32, sensitivities=20, **RANGE)
LEAN = Architecture(l_max=1, atom_layers=2, width=16, sensitivities=12, **RANGE)
#: What is timed: shape, and members averaged at each step.
MODELS = {
    "teacher": (TEACHER, 1),
    "ensemble of 2": (TEACHER, 2),
    "ensemble of 4": (TEACHER, 4),
    "ensemble of 8": (TEACHER, 8),
    "lean student": (LEAN, 1),
}
#: u, of choline, chloride and urea, and how many of each stand in a cell of the lattice.
MASSES, NUMBERS = (104.17, 35.45, 60.06), (1, 1, 2)
CELLS, SPACING = 8, 4.54  # Å
TEMPERATURE, TIMESTEP, FRICTION = 298.1, 10.0, 1e-3  # K, fs, 1/fs
REPLICAS, STEPS = 2, 40


def liquid(seed: int) -> Atoms:
    """2,048 beads, four in each cell of a lattice, with velocities."""
    sites = np.indices((CELLS * 2, CELLS * 2, CELLS)).reshape(3, -1).T * SPACING  # (beads, 3)
    species = np.repeat([1, 2, 3], np.array(NUMBERS) * len(sites) // sum(NUMBERS))
    generator = np.random.default_rng(seed)
    species = generator.permutation(species)
    positions = sites + generator.normal(0, 0.2, sites.shape)
    cell = SPACING * np.diag([CELLS * 2, CELLS * 2, CELLS])
    start = Atoms(species, positions, masses=np.take(MASSES, species - 1), cell=cell, pbc=True)
    return with_velocities(start, TEMPERATURE, [seed, 0])


def members(shape: Architecture, number: int) -> list[Potential]:
    """Random models that know three species."""
    potentials = []
    for seed in range(number):
        model = HIPNN(shape, [1, 2, 3]).float()
        initialise(model, seed)
        potentials.append(Potential(model.requires_grad_(False), {}))
    return potentials


def measure(device: torch.device, turns: int) -> dict[str, Times]:
    """Seconds of all replicas' steps together, of each model."""
    starts = [liquid(seed) for seed in range(REPLICAS)]
    steps = {}
    for name, (shape, number) in MODELS.items():
        model = MLIPKD(members(shape, number), device)
        # Forces are weak, and no two beads come as close as 0.1 Å.
        how = (TEMPERATURE, TIMESTEP, FRICTION, 1, STEPS, 0.1, 0, name)
        steps[name] = partial(run_langevin_batch, model, starts, *how)
    for step in steps.values():
        step()
    return take_turns(steps, device, budget=0, least=turns, most=turns)


def main(device: str = "cpu", turns: int = 5) -> None:
    """Print how fast each model's liquid is, and how much faster than the ensemble of 8."""
    chosen = prepare(device)
    times = measure(chosen, turns)
    slowest = times["ensemble of 8"].median
    print("| model | ns/day, all replicas | against the ensemble of 8 |\n| --- | --- | --- |")
    for name, seconds in times.items():
        speed = REPLICAS * STEPS * TIMESTEP * 1e-6 / seconds.median * 86_400
        print(f"| {name} | {speed:.1f} | {slowest / seconds.median:.2f} |")


if __name__ == "__main__":
    typer.run(main)
