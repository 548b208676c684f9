"""Small systems, small models and tolerances for testing models, of this project and of others."""

import numpy as np
import torch

from mlipkd.config.model import Architecture
from mlipkd.datasets.dataset import Dataset
from mlipkd.hipnn.engines.cpu.library import library
from mlipkd.hipnn.initial import initialise
from mlipkd.hipnn.network import HIPNN

#: Largest relative difference between two ways of computing the same number in float64.
PARITY = 1e-10
#: What ``MLIPKD_ENGINE`` may be on the CPU of this machine.
CPU_ENGINES = ("reference",) if library() is None else ("reference", "cpu")


def small_shape(**differences: float) -> Architecture:
    """An architecture of few features and a short cut-off, but for what is said."""
    small = {"n_interactions": 1, "l_max": 1, "atom_layers": 1, "width": 6, "sensitivities": 5}
    distances = {"soft_min": 0.8, "soft_max": 3.5, "hard_max": 4.5}
    return Architecture.model_validate({**small, **distances, **differences})


def random_model(shape: Architecture, species: tuple[int, ...], seed: int) -> HIPNN:
    """An untrained model in float64, its heads scaled up so that errors show.

    Where there is a repulsion, its walls differ by pair and end 2.5 to 3.5 Å away.
    """
    model = HIPNN(shape, species).double()
    initialise(model, seed)
    generator = torch.Generator().manual_seed(seed)
    torch.nn.init.normal_(model.w, generator=generator)
    if model.repulsion is not None:
        noise = torch.rand(model.repulsion.walls.shape, generator=generator).double() / 2
        mean = torch.tensor([1.0, 0.3, 1.5, 2.5], dtype=torch.float64)
        model.repulsion.walls.copy_(mean + noise + noise.transpose(1, 2))
    return model


def dataset_of(
    configurations: list[tuple[np.ndarray, np.ndarray, np.ndarray]], **labels: np.ndarray
) -> Dataset:
    """A dataset of (atomic numbers, positions, cell) with reference labels; a zero cell is free."""
    sizes = [len(numbers) for numbers, _, _ in configurations]
    cells = np.stack([np.asarray(cell, float) for _, _, cell in configurations])
    return Dataset(
        name="test",
        species=np.concatenate([numbers for numbers, _, _ in configurations]).astype(np.uint8),
        positions=np.concatenate([positions for _, positions, _ in configurations]),
        offsets=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        cells=cells,
        periodic=np.repeat(np.asarray(cells.any(axis=(1, 2)))[:, None], 3, axis=1),
        groups=np.arange(len(sizes)),
        splits=np.zeros(len(sizes), np.uint8),
        labels={"reference": labels},
        provenance={},
    )


def random_molecule(
    generator: np.random.Generator, atoms: int, elements: tuple[int, ...] = (1, 6, 7, 8)
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A free system of atoms at random places, none closer than 0.8 Å to another."""
    positions = _scattered(generator, atoms, np.eye(3) * 1.8 * atoms ** (1 / 3))
    return generator.choice(elements, atoms), positions, np.zeros((3, 3))


def random_crystal(
    generator: np.random.Generator, atoms: int, elements: tuple[int, ...] = (13,), side: float = 4.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A periodic system in a skewed cell of about the given side in Å."""
    cell = side * np.eye(3) + generator.normal(0, 0.08 * side, (3, 3))
    return generator.choice(elements, atoms), _scattered(generator, atoms, cell), cell


def _scattered(generator: np.random.Generator, atoms: int, cell: np.ndarray) -> np.ndarray:
    positions = np.empty((0, 3))
    while len(positions) < atoms:
        new = generator.random(3) @ cell
        if len(positions) == 0 or np.linalg.norm(positions - new, axis=1).min() > 0.8:
            positions = np.vstack([positions, new])
    return positions
