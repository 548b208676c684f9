"""Distributions in periodic systems: of distances (RDF), angles (ADF) and clusters (CDF).

RDF, the radial distribution function g(r) of each pair of species: the mean density of the one at a
distance r from the other, over that of an ideal gas.

ADF, the angular distribution function of each triplet of species: how likely two neighbours of an
atom are seen from it at an angle θ.

CDF, the cluster distribution function of each species: at what distances clusters merge. Single
linkage begins with every atom by itself, and merges the two clusters whose closest atoms are
closest, until all are one; the merge distances are the lengths of the edges of the minimum spanning
tree (J. C. Gower and G. J. S. Ross, J. R. Stat. Soc. C 18, 54 (1969)).
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations_with_replacement

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree
from vesin import NeighborList

from mlipkd.datasets.dataset import Dataset
from mlipkd.datasets.file import DatasetFile
from mlipkd.errors import InputError

#: Angles computed at one go at most, about.
BLOCK = 2**20
#: How far clusters are searched for at first, in mean distances of atoms, some 30 neighbours of an
#: atom; and by what factor farther while the clusters are not all one.
REACH, GROWTH = 2.0, 1.5

Pair = tuple[int, int]
"""Species, the lower number first."""
Triplet = tuple[int, int, int]
"""Species: a neighbour, the atom in the middle, and another neighbour of no lower number."""


def frames_of(trajectory: DatasetFile, indices: Iterable[int], reach: float) -> Iterator[Dataset]:
    """Frames one by one, each a dataset of one configuration.

    Args:
        trajectory: frames of one system in one state; a barostat may change the box.
        indices: which.
        reach: the largest distance that is taken of them, Å.

    Raises:
        InputError: a frame is not periodic in all directions, is made of other species than the
            first, or its box is so small that atoms meet their own images.
    """
    first = None
    for index in indices:
        frame = trajectory.read([index])
        place = f"{trajectory.path}: frame {index}"
        if not frame.periodic.all():
            raise InputError(
                f"{place}: expected a liquid, periodic in all directions, got "
                f"{frame.periodic[0].tolist()}; leave this dataset out"
            )
        first = first or frame
        if not np.array_equal(frame.species, first.species):
            raise InputError(
                f"{place}: expected the same species in the same order in all frames, got others; "
                "give the frames of one system"
            )
        half = half_box(frame.cells[0])
        if reach > half:
            raise InputError(
                f"{place}: expected cut-offs of at most half of the box, {half:.2f} Å, got "
                f"{reach:g}; lower them, or take a larger system"
            )
        yield frame


def half_box(cell: np.ndarray) -> float:
    """Half of the smallest distance of opposite faces, Å, of a cell (3, 3)."""
    return 1 / np.linalg.norm(np.linalg.inv(cell), axis=0).max() / 2


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
        lower, higher = np.minimum(kind[i], kind[j]), np.maximum(kind[i], kind[j])  # (pairs,)
        bin_ = np.minimum((distances / width).astype(int), bins - 1)  # (pairs,)
        shape = len(kinds), len(kinds), bins
        cells = np.ravel_multi_index((lower, higher, bin_), shape)  # (pairs,)
        pairs = pairs + np.bincount(cells, minlength=np.prod(shape)).reshape(shape)
        density += 1 / abs(np.linalg.det(frame.cells[0]))  # Å^-3, of a pair, summed over frames
    return {
        (int(kinds[a]), int(kinds[b])): pairs[a, b] / (number * density * shells)
        for a, b in combinations_with_replacement(range(len(kinds)), 2)
        if (number := atoms[a] * (atoms[a] - 1) / 2 if a == b else atoms[a] * atoms[b])
    }


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
        for first, second in _pairs_of_bonds(i):
            cosines = np.einsum("nx,nx->n", vectors[first], vectors[second])
            cosines /= lengths[first] * lengths[second]
            degrees = np.degrees(np.arccos(np.clip(cosines, -1, 1)))  # (angles,)
            a, b = kind[j[first]], kind[j[second]]  # (angles,)
            ends = np.minimum(a, b), np.maximum(a, b)
            reach = np.searchsorted(cutoffs, np.maximum(lengths[first], lengths[second]))
            bin_ = np.minimum((degrees / width).astype(int), bins - 1)
            cells = np.ravel_multi_index((kind[i[first]], *ends, reach, bin_), shape)
            angles = angles + np.bincount(cells, minlength=np.prod(shape)).reshape(shape)
    angles = angles.cumsum(axis=3)  # within a cut-off is within those beyond, too
    density = angles / np.maximum(angles.sum(-1, keepdims=True), 1) / width
    numbers = kinds.tolist()
    return {
        ((numbers[a], numbers[middle], numbers[b]), cutoff): density[middle, a, b, reach]
        for middle in range(len(kinds))
        for a, b in combinations_with_replacement(range(len(kinds)), 2)
        for reach, cutoff in enumerate(cutoffs)
    }


def _pairs_of_bonds(atoms: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Every two bonds of the same atom, in blocks: the indices of the first and of the second.

    Args:
        atoms: (bonds,) the atom of each bond, in ascending order.
    """
    later = np.searchsorted(atoms, atoms, side="right") - np.arange(len(atoms)) - 1  # (bonds,)
    ends = np.cumsum(later)  # (bonds,)
    blocks = np.searchsorted(ends, np.arange(BLOCK, ends[-1] if len(ends) else 0, BLOCK))
    for bonds in np.split(np.arange(len(atoms)), blocks):
        first = np.repeat(bonds, later[bonds])  # (angles,)
        starts = np.cumsum(later[bonds]) - later[bonds]  # (bonds of the block,)
        yield first, first + 1 + np.arange(len(first)) - np.repeat(starts, later[bonds])


def merge_distances(positions: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """The distances at which clusters of periodic atoms merge, Å: (atoms − 1,), in no order.

    Args:
        positions: (atoms, 3), Å.
        cell: (3, 3), Å.
    """
    size = len(positions)
    reach = REACH * (abs(np.linalg.det(cell)) / size) ** (1 / 3)
    graph = _neighbour_graph(positions, cell, reach)
    while connected_components(graph, directed=False, return_labels=False) > 1:
        reach *= GROWTH
        graph = _neighbour_graph(positions, cell, reach)
    lengths = minimum_spanning_tree(graph).data
    # Of atoms at one place the tree has no edge, and they merge at zero.
    return np.concatenate([np.zeros(size - 1 - len(lengths)), lengths])


def _neighbour_graph(positions: np.ndarray, cell: np.ndarray, reach: float) -> coo_array:
    """The distance of any two atoms that are within a reach: (atoms, atoms)."""
    search = NeighborList(cutoff=reach, full_list=False, n_threads=1)
    i, j, distances = search.compute(positions, cell, True, quantities="ijd")
    size = len(positions)
    pairs = np.minimum(i, j).astype(np.int64) * size + np.maximum(i, j)  # (pairs,)
    # Two atoms meet several times where the reach is beyond half of the box: the closest counts.
    order = np.argsort(distances)
    pairs, first = np.unique(pairs[order], return_index=True)
    ends = np.divmod(pairs, size)  # an atom and its own image are no edge to the tree
    return coo_array((distances[order][first], ends), shape=(size, size))


def cluster_distributions(
    frames: Iterable[Dataset], width: float, windows: int
) -> dict[int, np.ndarray]:
    """The probability density of merge distances, 1/Å, by species: (1 + windows, bins).

    First that of all frames, then of each of so many windows of them, as they follow each other. It
    integrates to 1; beyond the last bin is nothing. A species of one atom has none.

    Args:
        frames: of one system, one configuration each, as many as windows at least.
        width: of the bins, Å; bin k goes from k to k + 1 widths.
        windows: how many.
    """
    merges: dict[int, list[np.ndarray]] = {}
    for frame in frames:
        for species in np.unique(frame.species).tolist():
            positions = frame.positions[frame.species == species]  # (atoms of the species, 3)
            if len(positions) > 1:
                distances = merge_distances(positions, frame.cells[0])
                merges.setdefault(species, []).append((distances / width).astype(int))
    return {species: _densities(np.array(bins), width, windows) for species, bins in merges.items()}


def _densities(bins: np.ndarray, width: float, windows: int) -> np.ndarray:
    """Densities over all frames and over windows, of the bins of merges: (frames, merges)."""
    parts = [bins, *np.array_split(bins, windows)]
    counts = [np.bincount(part.ravel(), minlength=bins.max() + 1) / part.size for part in parts]
    return np.array(counts) / width
