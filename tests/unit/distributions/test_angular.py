"""Angles of systems whose angles are known without the code."""

import numpy as np
import pytest
from ase.build import bulk
from scipy.spatial.transform import Rotation

from mlipkd.dynamics import distributions
from mlipkd.dynamics.distributions import angular_distributions
from mlipkd.testing import dataset_of


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
