"""Distributions of distances, angles and clusters that are known without the code."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import squareform
from scipy.spatial.transform import Rotation

from mlipkd.datasets.file import DatasetFile, write
from mlipkd.dynamics import distributions
from mlipkd.dynamics.distributions import (
    angular_distributions,
    cluster_distributions,
    frames_of,
    half_box,
    merge_distances,
    radial_distributions,
)
from mlipkd.errors import InputError
from mlipkd.testing import dataset_of, random_crystal

SMALL_BOX = 10 * np.eye(3)
TWO_ATOMS = np.array([[1.0, 1, 1], [4, 4, 4]])


def read_frames(tmp_path, *frames, indices=(0, 1), reach=5.0):
    write(dataset_of(list(frames), energy=np.zeros(len(frames))), tmp_path / "frames.h5")
    with DatasetFile(tmp_path / "frames.h5") as trajectory:
        return list(frames_of(trajectory, indices, reach))


def test_frames_that_were_asked_for(tmp_path) -> None:
    frames = [([1, 8], TWO_ATOMS + shift, SMALL_BOX) for shift in range(3)]
    frames = [(np.array(numbers), *rest) for numbers, *rest in frames]
    found = read_frames(tmp_path, *frames, indices=[2, 0])
    assert [frame.positions[0, 0] for frame in found] == [3, 1]


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (([1, 8], np.zeros((3, 3))), "frame 1: expected a liquid, periodic in all directions"),
        (([8, 1], SMALL_BOX), "frame 1: expected the same species in the same order in all frames"),
        (
            ([1, 8], 0.9 * SMALL_BOX),
            r"frame 1: .* at most half of the box, 4.50 Å, got 5; lower them",
        ),
    ],
)
def test_frames_of_another_system(tmp_path, second, message) -> None:
    numbers, cell = second
    with pytest.raises(InputError, match=message):
        read_frames(
            tmp_path, (np.array([1, 8]), TWO_ATOMS, SMALL_BOX), (np.array(numbers), TWO_ATOMS, cell)
        )


def test_half_of_a_skewed_box() -> None:
    assert half_box(np.array([[10.0, 0, 0], [5, 6, 0], [0, 0, 20]])) == pytest.approx(3)


def gas(sizes: tuple[int, int], side: float, frames: int):
    generator = np.random.default_rng(0)
    numbers = np.repeat([1, 2], sizes)
    for _ in range(frames):
        positions = generator.random((len(numbers), 3)) * side
        yield dataset_of([(numbers, positions, side * np.eye(3))])


def test_ideal_gas_of_two_species() -> None:
    found = radial_distributions(gas((200, 400), 20, 5), 10, 0.5)
    assert list(found) == [(1, 1), (1, 2), (2, 2)]
    for g in found.values():
        # 5,000 pairs and more in each of the outer shells: 1.4 % of noise at most.
        np.testing.assert_allclose(g[12:], 1, atol=0.06)
        assert len(g) == 20


def test_few_atoms_of_a_gas() -> None:
    """An atom is not a neighbour of its own: with N² for N (N − 1), g of three would be 2/3."""
    found = radial_distributions(gas((3, 1), 10, 1500), 5, 5)
    assert set(found) == {(1, 1), (1, 2)}
    assert found[1, 1] == pytest.approx(1, abs=0.06)
    assert found[1, 2] == pytest.approx(1, abs=0.06)


def test_shells_of_rock_salt() -> None:
    crystal = bulk("NaCl", "rocksalt", a=6.0, cubic=True) * (3, 3, 3)
    frame = dataset_of([(crystal.numbers, crystal.positions, crystal.cell.array)])
    width = 0.1
    found = radial_distributions([frame], 5.5, width)
    edges = np.arange(56) * width
    shells = 4 / 3 * np.pi * np.diff(edges**3)
    for pair, others, distances, neighbours in (
        ((11, 17), 108, [3, 27**0.5], [6, 8]),
        ((11, 11), 107, [18**0.5], [12]),
        ((17, 17), 107, [18**0.5], [12]),
    ):
        counts = found[pair] * shells * others / crystal.get_volume()
        full = np.flatnonzero(counts)
        np.testing.assert_allclose(counts[full], neighbours)
        np.testing.assert_allclose(edges[full] + width / 2, distances, atol=width / 2 + 1e-9)


def rotated(crystal):
    """The crystal turned, so that no angle lies at an edge of the bins by more than rounding."""
    turn = Rotation.from_rotvec([0.3, -0.5, 0.7]).as_matrix()
    return dataset_of([(crystal.numbers, crystal.positions @ turn, crystal.cell.array @ turn)])


def share(density: np.ndarray, at: float) -> float:
    """The share of angles within 1° of a place, of bins of 1°."""
    return density[max(0, round(at) - 1) : round(at) + 1].sum()


def test_ideal_gas() -> None:
    generator = np.random.default_rng(0)
    frames = [
        dataset_of([(np.repeat([1, 2], 200), generator.random((400, 3)) * 20, 20 * np.eye(3))])
        for _ in range(4)
    ]
    found = angular_distributions(frames, [4.0, 5.0], 10)
    edges = np.radians(np.arange(19) * 10)
    ideal = -np.diff(np.cos(edges)) / 2 / 10  # ∫ sin θ / 2 over each bin, per degree
    assert len(found) == 6 * 2
    for density in found.values():
        assert density.sum() * 10 == pytest.approx(1)
        np.testing.assert_allclose(density, ideal, atol=0.0008)


def test_simple_cubic_lattice() -> None:
    """Six neighbours make 15 pairs: twelve at 90° and three at 180°."""
    frame = rotated(bulk("Po", "sc", a=3.0, cubic=True) * (4, 4, 4))
    found = angular_distributions([frame], [2.9, 3.1], 1)
    density = found[(84, 84, 84), 3.1]
    assert share(density, 90) == pytest.approx(0.8)
    assert share(density, 180) == pytest.approx(0.2)
    assert not found[(84, 84, 84), 2.9].any()  # nobody is so near


def test_triplets_and_cutoffs_of_caesium_chloride() -> None:
    """At the centre of a cube: its corners. Beyond them, the centres of the next cubes."""
    frame = rotated(bulk("CsCl", "cesiumchloride", a=4.0) * (4, 4, 4))
    found = angular_distributions([frame], [3.6, 4.1], 1)
    assert len(found) == 6 * 2
    for density in (found[(17, 55, 17), 3.6], found[(17, 55, 17), 4.1], found[(55, 17, 55), 3.6]):
        for angle, pairs in ((70.53, 12), (109.47, 12), (180, 4)):
            assert share(density, angle + 0.01) == pytest.approx(pairs / 28)
    assert not found[(55, 55, 55), 3.6].any()
    assert share(found[(55, 55, 55), 4.1], 90) == pytest.approx(0.8)
    assert not found[(17, 55, 55), 3.6].any()  # one neighbour of the two is too far
    mixed = found[(17, 55, 55), 4.1]  # a corner and a face: 54.74° and 125.26°, four each
    assert share(mixed, 54.74) == share(mixed, 125.26) == pytest.approx(0.5)


def test_blocks_change_nothing(monkeypatch) -> None:
    generator = np.random.default_rng(1)
    frame = dataset_of(
        [(generator.integers(1, 3, 60), generator.random((60, 3)) * 8, 8 * np.eye(3))]
    )
    whole = angular_distributions([frame], [3.0, 4.0], 5)
    monkeypatch.setattr(distributions, "BLOCK", 7)
    for key, density in angular_distributions([frame], [3.0, 4.0], 5).items():
        np.testing.assert_array_equal(density, whole[key])


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
