"""ADF, the angular distribution function of each triplet of species: how likely two neighbours of
an atom are seen from it at an angle θ."""

from collections.abc import Iterable, Sequence
from itertools import combinations_with_replacement

import numpy as np
from vesin import NeighborList

from mlipkd.datasets.dataset import Dataset

#: Angles computed at one go at most, about.
BLOCK = 2**20

Triplet = tuple[int, int, int]
"""Species: a neighbour, the atom in the middle, and another neighbour of no lower number."""


def angular_distributions(
    frames: Iterable[Dataset], cutoffs: Sequence[float], width: float
) -> dict[tuple[Triplet, float], np.ndarray]:
    """The probability density of angles, 1/degree, (bins,), by triplet and cut-off, of all frames.

    It integrates to 1 from 0° to 180°, and is zero everywhere for a triplet of which there is none.
    That of an ideal gas is sin θ / 2 for θ in radians.

    Args:
        frames: of one system, one configuration each; cut-offs are at most half of the box.
        cutoffs: how far neighbours are from the atom in the middle at most, Å, ascending.
        width: of the bins, degrees, a whole part of 180; bin k goes from k to k + 1 widths.
    """
    bins = round(180 / width)
    # Bonds of atoms in order, so that all of an atom stand together.
    search = NeighborList(cutoff=cutoffs[-1], full_list=True, sorted=True, n_threads=1)
    angles = np.zeros(1)
    for frame in frames:
        kinds, kind = np.unique(frame.species, return_inverse=True)
        i, j, lengths, vectors = search.compute(
            frame.positions, frame.cells[0], True, quantities="ijdD"
        )
        shape = len(kinds), len(kinds), len(kinds), len(cutoffs), bins
        for one, other in _bonds_of_one_atom(i):
            cosines = np.einsum("nx,nx->n", vectors[one], vectors[other])
            cosines /= lengths[one] * lengths[other]
            degrees = np.degrees(np.arccos(np.clip(cosines, -1, 1)))  # (angles,)
            a, b = kind[j[one]], kind[j[other]]  # (angles,)
            ends = np.minimum(a, b), np.maximum(a, b)
            reach = np.searchsorted(cutoffs, np.maximum(lengths[one], lengths[other]))
            place = np.minimum((degrees / width).astype(int), bins - 1)
            found = np.ravel_multi_index((kind[i[one]], *ends, reach, place), shape)
            angles = angles + np.bincount(found, minlength=np.prod(shape)).reshape(shape)
    angles = angles.cumsum(axis=3)  # within a cut-off is within those beyond, too
    density = angles / np.maximum(angles.sum(-1, keepdims=True), 1) / width
    numbers = kinds.tolist()
    return {
        ((numbers[a], numbers[middle], numbers[b]), cutoff): density[middle, a, b, place]
        for middle in range(len(kinds))
        for a, b in combinations_with_replacement(range(len(kinds)), 2)
        for place, cutoff in enumerate(cutoffs)
    }


def _bonds_of_one_atom(atoms: np.ndarray) -> Iterable[tuple[np.ndarray, np.ndarray]]:
    """Every two bonds of the same atom, in blocks: the places of one and of the other.

    Args:
        atoms: (bonds,) the atom of each bond, in ascending order.
    """
    later = np.searchsorted(atoms, atoms, side="right") - np.arange(len(atoms)) - 1  # (bonds,)
    ends = np.cumsum(later)  # (bonds,)
    blocks = np.searchsorted(ends, np.arange(BLOCK, ends[-1] if len(ends) else 0, BLOCK))
    for bonds in np.split(np.arange(len(atoms)), blocks):
        one = np.repeat(bonds, later[bonds])  # (angles,)
        starts = np.cumsum(later[bonds]) - later[bonds]  # (bonds of the block,)
        yield one, one + 1 + np.arange(len(one)) - np.repeat(starts, later[bonds])
