"""Duplicates: configurations that are the same but for being moved, turned, mirrored or renumbered.

Each configuration gets a fingerprint that none of these change: its composition, and smooth sums
over its pairs of atoms within a cut-off, which tell the pairs' elements apart,

    s_ik = Σ_j w_k(Z_i, Z_j) exp(-(d_ij - r_k)² / 2σ²) f(d_ij),   f(d) = cos²(π d / 2 r_c),

as half of their mean over atoms i, and as their smallest and largest. The mean feels every atom,
but the less the more there are; the extremes feel one that is moved in a large crystal as in a
small. Configurations whose fingerprints agree are taken for duplicates. What this joins by mistake
(homometric structures, fragments beyond each other's cut-off) stays on one side of the split: that
is harmless.

Beads are another matter. Their forces are noisy, so similar frames are not duplicates, and beads
may all be beyond the cut-off: there, only exact copies of a frame are duplicates.
"""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from vesin import NeighborList

from mlipkd.datasets.dataset import Dataset, composition

CUTOFF = 6.0  # Å, r_c
CENTRES = np.linspace(0.9, 5.5, 12)  # Å, r_k
WIDTH = 0.4  # Å, σ
#: Largest distance between the fingerprints of duplicates. Storing positions in single precision
#: moves a fingerprint by less than 1e-6, rounding them to 1e-4 Å by about 1e-4, heat by 1e-2.
TOLERANCE = 1e-4
#: How much the extremes over atoms count next to the means, which take out most of the rounding.
EXTREMES = 0.1


def duplicates(dataset: Dataset) -> np.ndarray:
    """A number for each configuration, the same for duplicates: (configurations,)."""
    if dataset.beads:
        return _copies(dataset)
    means, extremes = _sums(dataset)
    prints = np.hstack([means, EXTREMES * extremes])  # (configurations, functions)
    rounded = np.round(prints / TOLERANCE).astype(np.int64)
    _, first, member = np.unique(rounded, axis=0, return_index=True, return_inverse=True)
    near = cKDTree(prints[first]).query_pairs(TOLERANCE, output_type="ndarray")  # (pairs, 2)
    links = coo_array((np.ones(len(near)), near.T), shape=(len(first), len(first)))
    return connected_components(links, directed=False)[1][member.ravel()].astype(np.int64)


def _copies(dataset: Dataset) -> np.ndarray:
    configurations = np.split(dataset.positions, dataset.offsets[1:-1])
    numbers: dict[bytes, int] = {}
    return np.array([numbers.setdefault(block.tobytes(), len(numbers)) for block in configurations])


def join_clusters(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The finest clusters that split no cluster of two clusterings: (configurations,)."""
    first = np.unique(first, return_inverse=True)[1].ravel()
    second = np.unique(second, return_inverse=True)[1].ravel() + len(first)
    size = 2 * len(first)
    links = coo_array((np.ones(len(first)), (first, second)), shape=(size, size))
    return connected_components(links, directed=False)[1][first].astype(np.int64)


def fingerprints(dataset: Dataset) -> np.ndarray:
    """(configurations, elements + functions): composition and means of pair sums."""
    return _sums(dataset)[0]


def _sums(dataset: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """The fingerprints, and extremes of pair sums over atoms: (configurations, 2 functions)."""
    elements, element = np.unique(dataset.species, return_inverse=True)  # (elements,), (atoms,)
    weights = _pair_weights(elements)  # (elements, elements, functions)
    sums = np.empty((len(dataset), len(CENTRES)))
    extremes = np.empty((len(dataset), 2, len(CENTRES)))
    neighbours = NeighborList(cutoff=CUTOFF, full_list=False, n_threads=1)
    for m, (start, stop) in enumerate(zip(dataset.offsets[:-1], dataset.offsets[1:], strict=True)):
        first, second, distance = neighbours.compute(
            dataset.positions[start:stop], dataset.cells[m], dataset.periodic[m], quantities="ijd"
        )
        pair = element[start:stop][first], element[start:stop][second]
        terms = weights[pair] * _radial(distance)  # (pairs, functions)
        sums[m] = terms.sum(0) / (stop - start)
        of_atoms = np.zeros((stop - start, len(CENTRES)))
        np.add.at(of_atoms, first, terms)
        np.add.at(of_atoms, second, terms)
        extremes[m] = of_atoms.min(0), of_atoms.max(0)
    return np.hstack([composition(dataset, elements), sums]), extremes.reshape(len(dataset), -1)


def _radial(distance: np.ndarray) -> np.ndarray:
    """(pairs, functions)"""
    cutoff = np.cos(np.pi * distance / (2 * CUTOFF)) ** 2  # (pairs,)
    bumps = np.exp(-((distance[:, None] - CENTRES) ** 2) / (2 * WIDTH**2))
    return bumps * cutoff[:, None]


def _pair_weights(elements: np.ndarray) -> np.ndarray:
    """Symmetric weights between 0.5 and 1.5, unrelated between pairs of elements and functions."""
    low = np.minimum.outer(elements, elements).astype(float)[..., None]  # (elements, elements, 1)
    high = np.maximum.outer(elements, elements).astype(float)[..., None]
    function = np.arange(1, len(CENTRES) + 1)
    return 0.5 + np.modf(low * np.sqrt(2 + function) + high * np.sqrt(3 + 7 * function))[0]
