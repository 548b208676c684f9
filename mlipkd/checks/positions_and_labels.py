"""Positions and labels: faults of single configurations, each named with its place and the remedy.

Positions and cells that are no places in space, labels that are no numbers, and atoms on top of
each other, over periodic boundaries too.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from ase.data import covalent_radii
from scipy.spatial import cKDTree
from vesin import NeighborList

from mlipkd.datasets.dataset import LABELS, Dataset, row_offsets

#: Elements that form no bonds, so that covalent radii say nothing about their distances.
NOBLE_GASES = (2, 10, 18, 36, 54, 86)
#: Atoms closer than this lie on top of each other, Å.
OVERLAP = 0.4
#: Coordinates and cell edges of this size are no places in a simulated box, Å.
SHORTEST, FARTHEST = 0.1, 1e6
#: Volume of a cell over the product of its edges, below which it is flat.
FLAT = 1e-4
#: Configurations named for one kind of fault; the others are counted.
NAMED = 5


@dataclass(frozen=True)
class Contacts:
    """Every configuration's closest pair, and how far its atoms' nearest neighbours are."""

    distance: np.ndarray
    """(configurations,) distance of the closest pair, Å; infinite for an atom without images."""
    pair: np.ndarray
    """(configurations, 2) the closest pair's atoms, counted within the configuration."""
    nearest: np.ndarray
    """(configurations,) median over atoms of the nearest neighbour's distance, Å."""
    spread: np.ndarray
    """(configurations,) median over atoms of the nearest neighbour's distance over the sum of the
    pair's covalent radii; about 1 in molecules and metals, NaN for noble gases and beads."""

    def describe(self, m: int) -> str:
        """The closest pair of configuration ``m`` in words."""
        first, second = self.pair[m]
        other = "its own image" if first == second else f"atom {second}"
        return f"{self.distance[m]:.3f} Å between atom {first} and {other}"


def contacts(dataset: Dataset) -> Contacts:
    """The contacts of every configuration."""
    distance = np.full(len(dataset), np.inf)
    pair = np.zeros((len(dataset), 2), int)
    typical = np.full(len(dataset), np.inf)
    spread = np.full(len(dataset), np.nan)
    radii = covalent_radii[dataset.species]  # (all atoms,)
    radii[np.isin(dataset.species, NOBLE_GASES) | bool(dataset.beads)] = np.nan
    for m, (start, stop) in enumerate(zip(dataset.offsets[:-1], dataset.offsets[1:], strict=True)):
        nearest, neighbour = _nearest(
            dataset.positions[start:stop], dataset.cells[m], dataset.periodic[m]
        )
        closest = nearest.argmin()
        distance[m] = nearest[closest]
        pair[m] = sorted((closest, neighbour[closest]))
        typical[m] = np.median(nearest)
        radius = radii[start:stop]  # (atoms,)
        spread[m] = np.median(nearest / (radius + radius[neighbour]))
    return Contacts(distance, pair, typical, spread)


def _nearest(
    positions: np.ndarray, cell: np.ndarray, periodic: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Distance to every atom's nearest neighbour, and which it is: (atoms,), (atoms,)."""
    atoms = np.arange(len(positions))
    nearest, neighbour = np.full(len(atoms), np.inf), atoms.copy()
    if not periodic.any():
        if len(atoms) > 1:
            distances, indices = cKDTree(positions).query(positions, k=2)  # (atoms, 2)
            # An atom finds itself among the two, and at distance 0 not always first.
            other = (indices[:, 0] == atoms).astype(int)
            nearest, neighbour = distances[atoms, other], indices[atoms, other]
        return nearest, neighbour
    # Atoms have images, so each has a neighbour at last.
    cutoff = (abs(np.linalg.det(cell)) / len(atoms)) ** (1 / 3)
    cutoff = cutoff or np.linalg.norm(cell, axis=1).max()
    while np.isinf(nearest).any():
        cutoff *= 1.3
        search = NeighborList(cutoff=cutoff, full_list=True, n_threads=1)
        first, second, distance = search.compute(positions, cell, periodic, quantities="ijd")
        far_to_near = np.argsort(-distance, kind="stable")
        nearest[first[far_to_near]] = distance[far_to_near]
        neighbour[first[far_to_near]] = second[far_to_near]
    return nearest, neighbour


def bad_positions(dataset: Dataset) -> list[str]:
    """Positions and cells that are no places in space."""
    astray = np.flatnonzero(~(np.abs(dataset.positions) < FARTHEST).all(1))  # (bad atoms,)
    box = dataset.periodic.any(1) | ~np.isfinite(dataset.cells).all((1, 2))  # (configurations,)
    flat = [m for m in np.flatnonzero(box).tolist() if _is_flat(dataset, m)]
    return [
        *fault_lines(
            dataset,
            configurations_of(dataset.offsets, astray),
            lambda m: (
                f"expected positions within {FARTHEST:g} Å, got {_worst(dataset, m)}; "
                "fix or remove the configuration"
            ),
        ),
        *fault_lines(
            dataset,
            np.array(flat, int),
            lambda m: (
                "expected lattice vectors that span a volume, got the degenerate cell "
                f"{dataset.cells[m].round(4).tolist()}; fix or remove the configuration"
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
    return fault_lines(
        dataset,
        configurations_of(row_offsets(label, dataset.offsets), rows),
        lambda m: (
            f"expected finite {whose} {label} in {LABELS[label].unit}, got NaN or infinity; "
            "remove the configuration, or give it a label"
        ),
    )


def overlaps(dataset: Dataset, contacts: Contacts) -> list[str]:
    """Atoms that lie on top of each other, or of each other's images."""
    return fault_lines(
        dataset,
        np.flatnonzero(contacts.distance < OVERLAP),
        lambda m: (
            f"expected atoms at least {OVERLAP} Å apart, got {contacts.describe(m)}; "
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


def fault_lines(dataset: Dataset, wrong: np.ndarray, sentence: Callable[[int], str]) -> list[str]:
    """A line for each of the first faults of a kind, of which the last says how many follow.

    Args:
        dataset: it says where its configurations come from.
        wrong: (faults,) int, configurations that have the fault.
        sentence: says what is wrong with a configuration, and the remedy.
    """
    lines = [f"{dataset.place(m)}: {sentence(m)}" for m in wrong[:NAMED]]
    if len(wrong) > NAMED:
        lines[-1] += f" (and so in {len(wrong) - NAMED} configurations more)"
    return lines
