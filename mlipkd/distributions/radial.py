"""RDF, the radial distribution function g(r) of each pair of species: the mean density of one at
a distance r from the other, over that of an ideal gas."""

from collections.abc import Iterable
from itertools import combinations_with_replacement

import numpy as np
from vesin import NeighborList

from mlipkd.datasets.dataset import Dataset

Pair = tuple[int, int]
"""Species, the lower number first."""


def radial_distributions(
    frames: Iterable[Dataset], cutoff: float, width: float
) -> dict[Pair, np.ndarray]:
    """g(r) of each pair of species, (bins,), averaged over frames.

    An ideal gas has N_a N_b pairs of different and N_a (N_a − 1) / 2 of like species, spread evenly
    over the box, and thus g = 1. A species of which there is one atom has no g with itself.

    Args:
        frames: of one system, one configuration each; ``cutoff`` is at most half of the box.
        cutoff: how far it reaches, Å; a whole number of bins.
        width: of the bins, Å; bin k goes from k to k + 1 widths.
    """
    bins = round(cutoff / width)
    shells = 4 / 3 * np.pi * np.diff((np.arange(bins + 1) * width) ** 3)  # (bins,), Å^3
    search = NeighborList(cutoff=cutoff, full_list=False, n_threads=1)
    pairs, density = np.zeros(1), 0.0
    for frame in frames:
        kinds, kind, atoms = np.unique(frame.species, return_inverse=True, return_counts=True)
        i, j, distances = search.compute(frame.positions, frame.cells[0], True, quantities="ijd")
        one, other = np.minimum(kind[i], kind[j]), np.maximum(kind[i], kind[j])  # (pairs,)
        place = np.minimum((distances / width).astype(int), bins - 1)  # (pairs,)
        shape = len(kinds), len(kinds), bins
        found = np.ravel_multi_index((one, other, place), shape)  # (pairs,)
        pairs = pairs + np.bincount(found, minlength=np.prod(shape)).reshape(shape)
        density += 1 / abs(np.linalg.det(frame.cells[0]))  # Å^-3, of a pair, summed over frames
    return {
        (int(kinds[a]), int(kinds[b])): pairs[a, b] / (number * density * shells)
        for a, b in combinations_with_replacement(range(len(kinds)), 2)
        if (number := atoms[a] * (atoms[a] - 1) / 2 if a == b else atoms[a] * atoms[b])
    }
