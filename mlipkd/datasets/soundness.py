"""Soundness: faults of single configurations, each named with its place and the remedy."""

from collections.abc import Callable

import numpy as np

from mlipkd.datasets.contacts import Contacts
from mlipkd.datasets.dataset import LABELS, Dataset, row_offsets

#: Atoms closer than this lie on top of each other, Å.
OVERLAP = 0.4
#: Coordinates and cell edges of this size are no places in a simulated box, Å.
SHORTEST, FARTHEST = 0.1, 1e6
#: Volume of a cell over the product of its edges, below which it is flat.
FLAT = 1e-4
#: Configurations named for one kind of fault; the rest is counted.
NAMED = 5


def bad_positions(dataset: Dataset) -> list[str]:
    """Positions and cells that are no places in space."""
    astray = np.flatnonzero(~(np.abs(dataset.positions) < FARTHEST).all(1))  # (bad atoms,)
    box = dataset.periodic.any(1) | ~np.isfinite(dataset.cells).all((1, 2))  # (configurations,)
    flat = [m for m in np.flatnonzero(box).tolist() if _is_flat(dataset, m)]
    return [
        *named(
            dataset,
            configurations_of(dataset.offsets, astray),
            lambda m: (
                f"wanted positions within {FARTHEST:g} Å, got {_worst(dataset, m)}; "
                "mend or remove the configuration"
            ),
        ),
        *named(
            dataset,
            np.array(flat, int),
            lambda m: (
                "wanted lattice vectors that span a volume, got the degenerate cell "
                f"{dataset.cells[m].round(4).tolist()}; mend or remove the configuration"
            ),
        ),
    ]


def bad_labels(dataset: Dataset) -> list[str]:
    """Labels that are no numbers, where none may be missing."""
    return [
        fault
        for whose, given in dataset.labels.items()
        for label in given
        for fault in _bad_label(dataset, whose, label)
    ]


def _bad_label(dataset: Dataset, whose: str, label: str) -> list[str]:
    values = dataset.labels[whose][label]
    good = ~np.isinf(values) if dataset.may_miss(whose, label) else np.isfinite(values)
    rows = np.flatnonzero(~good.reshape(len(values), -1).all(1))  # (bad rows,)
    return named(
        dataset,
        configurations_of(row_offsets(label, dataset.offsets), rows),
        lambda m: (
            f"wanted finite {whose} {label} in {LABELS[label][1]}, got NaN or infinity; "
            "remove the configuration, or give it a label"
        ),
    )


def overlaps(dataset: Dataset, found: Contacts) -> list[str]:
    """Atoms that lie on top of each other, or of each other's images."""
    return named(
        dataset,
        np.flatnonzero(found.distance < OVERLAP),
        lambda m: (
            f"wanted atoms at least {OVERLAP} Å apart, got {found.describe(m)}; "
            "remove the configuration, or check its length unit and cell"
        ),
    )


def configurations_of(offsets: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The configurations that some rows of a flat array belong to, each once, in order."""
    return np.unique(np.searchsorted(offsets, rows, side="right") - 1)


def _is_flat(dataset: Dataset, m: int) -> bool:
    if not np.isfinite(dataset.cells[m]).all():
        return True
    edges = dataset.cells[m][dataset.periodic[m]]  # (periodic directions, 3)
    lengths = np.linalg.norm(edges, axis=1)  # (periodic directions,)
    if not ((lengths > SHORTEST) & (lengths < FARTHEST)).all():
        return True
    return np.sqrt(abs(np.linalg.det(edges @ edges.T))) < FLAT * lengths.prod()


def _worst(dataset: Dataset, m: int) -> str:
    """The coordinate of configuration ``m`` that is farthest off, NaN before all others."""
    positions = dataset.positions[dataset.offsets[m] : dataset.offsets[m + 1]]  # (atoms, 3)
    atom, axis = np.unravel_index(np.abs(positions).argmax(), positions.shape)
    return f"{'xyz'[axis]} = {positions[atom, axis]:g} for atom {atom}"


def named(dataset: Dataset, wrong: np.ndarray, sentence: Callable[[int], str]) -> list[str]:
    """A line for each of the first faults of a kind, and one for how many follow."""
    lines = [f"{dataset.place(m)}: {sentence(m)}" for m in wrong[:NAMED]]
    if len(wrong) > NAMED:
        lines[-1] += f" (and so in {len(wrong) - NAMED} configurations more)"
    return lines
