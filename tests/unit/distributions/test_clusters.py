"""Merge distances that are known without the code."""

import numpy as np
import pytest
from ase import Atoms
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import squareform

from mlipkd.dynamics.distributions import cluster_distributions, merge_distances
from mlipkd.testing import dataset_of, random_crystal

BOX = 40 * np.eye(3)


def on_a_line(*places: float) -> np.ndarray:
    return np.array([[place, 0.0, 0.0] for place in places])


def test_points_on_a_line() -> None:
    found = merge_distances(on_a_line(10, 0, 6, 1, 3), BOX)
    np.testing.assert_allclose(np.sort(found), [1, 2, 3, 4])


def test_through_the_boundary() -> None:
    found = merge_distances(on_a_line(39.5, 0, 1), BOX)
    np.testing.assert_allclose(np.sort(found), [0.5, 1])


def test_two_atoms_at_one_place() -> None:
    np.testing.assert_allclose(np.sort(merge_distances(on_a_line(3, 5, 3), BOX)), [0, 2])


@pytest.mark.parametrize("atoms", [2, 40])
@pytest.mark.parametrize("clumped", [False, True])
def test_single_linkage_of_the_dense_matrix(atoms, clumped) -> None:
    """Also of two clumps as far from each other as the box allows, so that the reach must grow."""
    generator = np.random.default_rng(atoms)
    numbers, positions, cell = random_crystal(generator, atoms, side=40.0)
    if clumped:
        positions = positions / 20 + np.where(np.arange(atoms)[:, None] % 2, cell.sum(0) / 2, 0)
    dense = Atoms(numbers, positions, cell=cell, pbc=True).get_all_distances(mic=True)
    heights = linkage(squareform(dense, checks=False), method="single")[:, 2]
    np.testing.assert_allclose(np.sort(merge_distances(positions, cell)), heights)


def test_clusters_that_grow_are_seen_window_by_window() -> None:
    """The last of three windows, of five frames, is one frame."""
    lines = [(0, 4, 8)] * 2 + [(0, 4, 6)] * 2 + [(0, 1, 2)]
    numbers = np.array([2, 2, 2, 1])
    frames = [
        dataset_of([(numbers, np.vstack([on_a_line(*line), [[0, 20, 20]]]), BOX)]) for line in lines
    ]
    ((species, densities),) = cluster_distributions(frames, 0.8, 3).items()
    assert species == 2  # there is one atom of the other
    assert densities.shape == (4, 6)
    np.testing.assert_allclose(densities.sum(1) * 0.8, 1)
    whole, first, second, third = densities * 0.8
    np.testing.assert_allclose(whole, [0, 0.2, 0.2, 0, 0, 0.6], atol=1e-12)
    np.testing.assert_allclose(first, [0, 0, 0, 0, 0, 1])
    np.testing.assert_allclose(second, [0, 0, 0.5, 0, 0, 0.5])
    np.testing.assert_allclose(third, [0, 1, 0, 0, 0, 0])
