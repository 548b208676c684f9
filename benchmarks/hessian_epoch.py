"""Training on energies, forces and Hessians or their products, with molecules of one size.

``python -m benchmarks.hessian_epoch KIND CARBONS DEVICE`` prints a JSON object: the atoms of a
molecule, seconds of a mini-batch with its step, and by how many bytes the process grew. The
molecules are rattled chains of alkanes: but for the ends, atoms have the same neighbours whatever
the length.
"""

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from benchmarks.timing import give_back, take_turns
from mlipkd.config.model import Architecture
from mlipkd.config.recipe import BatchSize, LossTerm, Probes, Recipe
from mlipkd.datasets.dataset import Dataset
from mlipkd.datasets.file import DatasetFile, write
from mlipkd.evaluation.cost.measurement import peak_memory, reset_peak_memory
from mlipkd.hipnn.initial import initialise
from mlipkd.hipnn.network import HIPNN
from mlipkd.jobs.device import choose_device
from mlipkd.testing import dataset_of
from mlipkd.training.data import TrainingData
from mlipkd.training.members import Members
from mlipkd.training.microbatches import differentiate

SHAPE = Architecture(
    n_interactions=2,
    l_max=1,
    atom_layers=3,
    width=32,
    sensitivities=20,
    soft_min=0.75,
    soft_max=5.5,
    hard_max=6.5,
)
#: Molecules of a mini-batch.
BATCH = 8
#: Steps timed at least and at most, and seconds after which none is begun.
LEAST, MOST, BUDGET = 1, 9, 20.0
#: Standard deviation of the displacements of an atom along each axis, Å.
RATTLE = 0.05


def _term(quantity: str, probes: Probes | None = None) -> LossTerm:
    return LossTerm.model_validate(
        {"quantity": quantity, "labels": "reference", "weight": 1, "probes": probes}
    )


#: What is trained on.
KINDS = {
    "E-F": [_term("energy"), _term("forces")],
    "E-F-HVP": [_term("energy"), _term("forces"), _term("hvp", Probes(kind="rademacher"))],
    "E-F-H": [_term("energy"), _term("forces"), _term("hessian")],
}


def alkane(carbons: int, generator: np.random.Generator) -> tuple:
    """A stretched chain of 3 carbons + 2 atoms: numbers, positions, and no cell."""
    numbers, positions = [], []
    for k in range(carbons):
        up = 1 - 2 * (k % 2)
        C = np.array([1.27 * k, 0.43 * up, 0.0])
        hydrogens = [[0, 0.63 * up, 0.89], [0, 0.63 * up, -0.89]]
        hydrogens += [[-0.89, -0.63 * up, 0]] if k == 0 else []
        hydrogens += [[0.89, -0.63 * up, 0]] if k == carbons - 1 else []
        numbers += [6] + [1] * len(hydrogens)
        positions += [C, *(C + hydrogens)]
    rattle = generator.normal(0, RATTLE, (len(numbers), 3))
    return np.array(numbers), np.array(positions) + rattle, np.zeros((3, 3))


def molecules(carbons: int) -> Dataset:
    """A mini-batch of them, with random labels."""
    generator = np.random.default_rng(0)
    made = [alkane(carbons, generator) for _ in range(BATCH)]
    atoms = len(made[0][0])
    return dataset_of(
        made,
        energy=generator.normal(size=BATCH),
        forces=generator.normal(size=(BATCH * atoms, 3)),
        hessian=generator.normal(size=(BATCH * atoms**2, 3, 3)),
    )


def epoch(kind: str, file: DatasetFile, device: torch.device) -> Callable[[], None]:
    """A function that goes through the mini-batch once."""
    terms = KINDS[kind]
    data = TrainingData(
        file, np.arange(len(file)), terms, SHAPE.hard_max, torch.float32, device=device
    )
    model = HIPNN(SHAPE, file.species_present)
    initialise(model, 0)
    recipe = Recipe(loss=terms, batch=BatchSize(configurations=BATCH))
    members = Members([model.to(device)], recipe)

    def run() -> None:
        for mini_batch in data.batches(BATCH):
            parts = [part.with_probes(terms, 0, 1) for part in mini_batch.microbatches()]
            weights = [1.0] * len(terms)
            gradients, _ = differentiate(members.model, parts, terms, weights, 0.01)
            members.step(gradients)

    return run


def main(kind: str, carbons: str, name: str) -> None:
    """Measure and print."""
    device = choose_device(name, threads=1)
    with tempfile.TemporaryDirectory() as folder:
        for size in (1, int(carbons)):  # the small ones load all there is to load
            path = Path(folder, f"{size}.h5")
            write(molecules(size), path)
            with DatasetFile(path) as file:
                run = epoch(kind, file, device)
                give_back()
                reset_peak_memory(device)
                before = peak_memory(device)
                run()
                grown = peak_memory(device) - before
                atoms = int(file.sizes[0])
        times = take_turns({kind: run}, device, BUDGET, LEAST, MOST)[kind]
    print(json.dumps({"atoms": atoms, "seconds": times.median, "bytes": grown}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
