"""Contacts: how close atoms come to each other, over periodic boundaries too."""

from dataclasses import dataclass

import numpy as np
from ase.data import covalent_radii
from scipy.spatial import cKDTree
from vesin import NeighborList

from mlipkd.datasets.dataset import Dataset

#: Elements that form no bonds, so that covalent radii say nothing about their distances.
NOBLE_GASES = (2, 10, 18, 36, 54, 86)


@dataclass(frozen=True)
class Contacts:
    """Every configuration's closest pair, and how far its atoms' nearest neighbours are."""

    distance: np.ndarray
    """(configurations,) distance of the closest pair, Å; infinite for an atom alone."""
    pair: np.ndarray
    """(configurations, 2) the closest pair's atoms, counted within the configuration."""
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
        radius = radii[start:stop]  # (atoms,)
        spread[m] = np.median(nearest / (radius + radius[neighbour]))
    return Contacts(distance, pair, spread)


def _nearest(
    positions: np.ndarray, cell: np.ndarray, periodic: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Distance to every atom's nearest neighbour, and which it is: (atoms,), (atoms,)."""
    atoms = np.arange(len(positions))
    nearest, neighbour = np.full(len(atoms), np.inf), atoms.copy()
    if not periodic.any():
        if len(atoms) > 1:
            distances, found = cKDTree(positions).query(positions, k=2)  # (atoms, 2)
            # An atom finds itself among the two, and at distance 0 not always first.
            other = (found[:, 0] == atoms).astype(int)
            nearest, neighbour = distances[atoms, other], found[atoms, other]
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
