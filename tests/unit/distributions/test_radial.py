"""g(r) of systems whose g(r) is known without the code."""

import numpy as np
import pytest
from ase.build import bulk

from mlipkd.dynamics.distributions import radial_distributions
from mlipkd.testing import dataset_of


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
