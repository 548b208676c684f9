"""CDF, the cluster distribution function of each species: at what distances clusters merge.

Single linkage begins with every atom by itself, and merges the two clusters whose closest atoms are
closest, until all are one; the merge distances are the lengths of the edges of the minimum spanning
tree (J. C. Gower and G. J. S. Ross, J. R. Stat. Soc. C 18, 54 (1969)).
"""

from collections.abc import Iterable

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree
from vesin import NeighborList

from mlipkd.datasets.dataset import Dataset

#: How far pairs are searched for at first, in mean distances; some 30 neighbours of an atom.
REACH = 2.0
#: How much farther if the clusters are not all one then.
GROWTH = 1.5


def merge_distances(positions: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """The distances at which clusters of periodic atoms merge, Å: (atoms − 1,), in no order.

    Args:
        positions: (atoms, 3), Å.
        cell: (3, 3), Å.
    """
    size = len(positions)
    reach = REACH * (abs(np.linalg.det(cell)) / size) ** (1 / 3)
    graph = _graph(positions, cell, reach)
    while connected_components(graph, directed=False, return_labels=False) > 1:
        reach *= GROWTH
        graph = _graph(positions, cell, reach)
    lengths = minimum_spanning_tree(graph).data
    # Of atoms at one place the tree has no edge, and they merge at zero.
    return np.concatenate([np.zeros(size - 1 - len(lengths)), lengths])


def _graph(positions: np.ndarray, cell: np.ndarray, reach: float) -> coo_array:
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
            own = frame.positions[frame.species == species]  # (atoms of the species, 3)
            if len(own) > 1:
                found = merge_distances(own, frame.cells[0])
                merges.setdefault(species, []).append((found / width).astype(int))
    return {species: _densities(np.array(own), width, windows) for species, own in merges.items()}


def _densities(bins: np.ndarray, width: float, windows: int) -> np.ndarray:
    """Densities over all frames and over windows, of the bins of merges: (frames, merges)."""
    parts = [bins, *np.array_split(bins, windows)]
    counts = [np.bincount(part.ravel(), minlength=bins.max() + 1) / part.size for part in parts]
    return np.array(counts) / width
