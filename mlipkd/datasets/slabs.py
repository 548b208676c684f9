"""Slabs: consecutive configurations, as many as fit into memory together."""

import itertools

import numpy as np

#: Atoms in a slab: some 100 MB of labels of eight members, or of neighbours in a dense crystal.
ATOMS = 2**16


def slabs(sizes: np.ndarray, atoms: int = ATOMS) -> list[slice]:
    """Cut configurations with the given numbers of atoms into slices of at most ``atoms`` atoms.

    A configuration larger than that is a slab by itself.
    """
    ends = np.cumsum(sizes)  # (configurations,)
    cuts = [0]
    while cuts[-1] < len(sizes):
        done = ends[cuts[-1] - 1] if cuts[-1] else 0
        cuts.append(max(cuts[-1] + 1, int(np.searchsorted(ends, done + atoms, side="right"))))
    return [slice(start, stop) for start, stop in itertools.pairwise(cuts)]
