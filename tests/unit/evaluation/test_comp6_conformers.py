"""Conformer energies: closed forms against pairs, the ceiling, molecules."""

from itertools import combinations

import numpy as np
import pytest

from mlipkd.errors import InputError
from mlipkd.evaluation.comp6 import below_ceiling, conformer_errors, molecules
from mlipkd.testing import dataset_of


@pytest.mark.parametrize("conformers", [1, 2, 3, 30])
def test_closed_forms_against_all_pairs(conformers: int) -> None:
    errors = -500.0 + np.random.default_rng(conformers).normal(size=conformers)
    pairs = np.array([a - b for a, b in combinations(errors, 2)])
    found = conformer_errors(errors)
    assert found.count == len(pairs)
    assert found.squared == pytest.approx((pairs**2).sum(), rel=1e-10)
    assert found.absolute == pytest.approx(np.abs(pairs).sum(), rel=1e-10)


def test_the_ceiling_is_out() -> None:
    energies = np.array([5.0, 3.0, 12.9, 13.0, 99.0])
    assert below_ceiling(energies, 10.0).tolist() == [True, True, True, False, False]


def molecule(symbols: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.array(symbols), np.arange(3.0 * len(symbols)).reshape(-1, 3), np.zeros((3, 3))


def test_molecules_are_groups() -> None:
    dataset = dataset_of([molecule((8, 1, 1)), molecule((6, 8)), molecule((1, 8, 1))])
    dataset.groups[:] = [7, 2, 7]
    assert [found.tolist() for found in molecules(dataset)] == [[1], [0, 2]]


def test_a_molecule_of_two_formulas_is_refused() -> None:
    dataset = dataset_of([molecule((8, 1, 1)), molecule((8, 1)), molecule((6, 8))])
    dataset.groups[:] = [0, 1, 1]
    with pytest.raises(InputError, match=r"configuration 2.*\[6, 8\] beside \[1, 8\]"):
        molecules(dataset)
