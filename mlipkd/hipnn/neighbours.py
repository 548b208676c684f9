"""Neighbour lists: every atom's neighbours within the cut-off, every periodic image by itself.

The pairs are directed and complete, (i ← j) beside (j ← i), in compressed rows: the neighbours of
atom i are entries ``starts[i]`` to ``starts[i + 1]``. Because each pair is there twice, a table of
what an atom sends becomes a table of what it receives by a permutation, ``reverse``.
"""

from dataclasses import dataclass

import numpy as np
from vesin import NeighborList

from mlipkd.datasets.dataset import Dataset


@dataclass(frozen=True)
class Neighbours:
    """The neighbours of all atoms of some configurations, in compressed rows."""

    starts: np.ndarray  # (atoms + 1,) int64
    senders: np.ndarray  # (pairs,) int32, atom j, counted from the configuration's first atom
    reverse: np.ndarray  # (pairs,) int32, where (j ← i) stands among the neighbours of j
    vectors: np.ndarray  # (pairs, 3), R_j - R_i + shift, Å


def find_neighbours(
    species: np.ndarray,
    positions: np.ndarray,
    cell: np.ndarray,
    periodic: np.ndarray,
    cutoff: float,
) -> Neighbours:
    """Neighbours of one configuration, those of each atom by element and then by distance.

    Neighbours at like distances feel the same sensitivities, which the kernels make use of.

    Args:
        species: (atoms,), atomic numbers.
        positions: (atoms, 3), Å.
        cell: (3, 3), Å, rows are lattice vectors; any cell, also one smaller than the cut-off.
        periodic: (3,) bool.
        cutoff: Å.
    """
    search = NeighborList(cutoff=cutoff, full_list=True, n_threads=1)
    i, j, shifts, vectors = search.compute(positions, cell, periodic, quantities="ijSD")
    shifts = shifts.astype(np.int64)  # (pairs, 3)
    i, j = i.astype(np.int64), j.astype(np.int64)

    # Sorted by (i, j, shift) on one side and by (j, i, -shift) on the other, entry p of the one
    # list is the reverse of entry p of the other.
    partner = np.empty(len(i), np.int64)  # the entry of the search that is the reverse of each
    partner[np.argsort(_key(i, j, shifts))] = np.argsort(_key(j, i, -shifts))
    order = np.lexsort((np.linalg.norm(vectors, axis=1), species[j], i))  # (pairs,)
    rank = np.empty(len(i), np.int64)  # where an entry of the search stands among the sorted ones
    rank[order] = np.arange(len(i))
    starts = np.zeros(len(positions) + 1, np.int64)  # (atoms + 1,)
    np.cumsum(np.bincount(i, minlength=len(positions)), out=starts[1:])
    reverse = rank[partner[order]] - starts[j[order]]  # (pairs,)
    return Neighbours(
        starts=starts,
        senders=j[order].astype(np.int32),
        reverse=reverse.astype(np.int32),
        vectors=vectors[order],
    )


def _key(i: np.ndarray, j: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """(i, j, shift) as one number, which sorts much faster than five: (pairs,) int64."""
    reach = int(np.abs(shifts).max(initial=0))
    width = 2 * reach + 1
    key = i * (i.max(initial=0) + 1) + j
    for axis in range(3):
        key = key * width + shifts[:, axis] + reach
    return key


def neighbours_of(dataset: Dataset, cutoff: float, dtype: type = np.float32) -> Neighbours:
    """Neighbours of all configurations of a dataset, with the vectors in the given precision."""
    found = [
        find_neighbours(
            dataset.species[first:last],
            dataset.positions[first:last],
            dataset.cells[m],
            dataset.periodic[m],
            cutoff,
        )
        for m, (first, last) in enumerate(
            zip(dataset.offsets[:-1], dataset.offsets[1:], strict=True)
        )
    ]
    lengths = np.concatenate([[0], *(np.diff(one.starts) for one in found)])  # (atoms + 1,)
    return Neighbours(
        starts=np.cumsum(lengths),
        senders=np.concatenate([one.senders for one in found] or [np.empty(0, np.int32)]),
        reverse=np.concatenate([one.reverse for one in found] or [np.empty(0, np.int32)]),
        vectors=np.concatenate(
            [one.vectors.astype(dtype) for one in found] or [np.empty((0, 3), dtype)]
        ),
    )
