"""Small systems and tolerances for testing models, of this project and of others."""

import numpy as np

from mlipkd.datasets.dataset import Dataset

#: Largest relative difference between two ways of computing the same number in float64.
PARITY = 1e-10


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
