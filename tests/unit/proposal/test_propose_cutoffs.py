"""Cut-offs of a crystal whose distances are known."""

import numpy as np
import pytest
from ase.build import bulk

from mlipkd.checks.positions_and_labels import contacts
from mlipkd.datasets.size import measure
from mlipkd.errors import InputError
from mlipkd.proposal.propose import cutoffs
from mlipkd.testing import dataset_of


@pytest.fixture
def proposed(tmp_path):
    """A function that proposes cut-offs for configurations."""
    (tmp_path / "file").touch()

    def propose(*configurations):
        dataset = dataset_of(list(configurations))
        return cutoffs(dataset, contacts(dataset), measure(dataset, tmp_path / "file"))

    return propose


def of(atoms):
    return atoms.numbers, atoms.positions, atoms.cell.array


def test_a_crystal_has_its_shells(proposed) -> None:
    """Aluminium: 54 neighbours in the first four shells, up to 5.73 Å; 2.86 Å to the nearest."""
    found = proposed(of(bulk("Al", a=4.05, cubic=True)))
    assert found.soft_min == pytest.approx(0.8 * 4.05 / np.sqrt(2), abs=0.01)
    assert 5.4 <= found.hard_max <= 5.9
    assert found.soft_max == pytest.approx(found.hard_max - 0.5)


def test_a_loose_crystal_has_its_second_shell(proposed) -> None:
    """Caesium: the second shell is at 6.05 Å."""
    assert proposed(of(bulk("Cs", a=6.05, cubic=True))).hard_max > 6.05


def test_a_dense_crystal_has_no_more_than_it_needs(proposed) -> None:
    assert proposed(of(bulk("C", cubic=True))).hard_max == 4.5


def test_atoms_alone_say_nothing(proposed) -> None:
    alone = (np.array([6]), np.zeros((1, 3)), np.zeros((3, 3)))
    with pytest.raises(InputError, match="expected configurations of several atoms"):
        proposed(alone)
    pair = (np.array([1, 1]), np.array([[0, 0, 0], [0, 0, 1.0]]), np.zeros((3, 3)))
    assert proposed(alone, pair).soft_min == 0.8
