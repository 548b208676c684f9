"""Configurations as ASE's atoms: what goes in through a source comes out again."""

from dataclasses import replace

import numpy as np
import pytest

from mlipkd.datasets.atoms import atoms_of, labelled_atoms
from mlipkd.datasets.dataset import Bead
from mlipkd.testing import dataset_of, random_crystal


@pytest.fixture
def crystals():
    """Two crystals, of three and two atoms, with all labels that ASE knows, and Hessians."""
    generator = np.random.default_rng(0)
    shapes = {"energy": 2, "forces": (5, 3), "atomic_energies": 5, "stress": (2, 3, 3)}
    labels = {label: generator.normal(size=shape) for label, shape in shapes.items()}
    labels["stress"] += labels["stress"].transpose(0, 2, 1)
    labels["hessian"] = np.zeros((13, 3, 3))
    return dataset_of([random_crystal(generator, atoms) for atoms in (3, 2)], **labels)


def test_a_configuration_has_its_reference_labels(crystals) -> None:
    atoms = labelled_atoms(crystals, 1)
    reference = crystals.labels["reference"]
    np.testing.assert_array_equal(atoms.positions, crystals.positions[3:])
    assert atoms.pbc.all() and atoms.get_potential_energy() == reference["energy"][1]
    np.testing.assert_array_equal(atoms.get_forces(), reference["forces"][3:])
    np.testing.assert_array_equal(atoms.get_potential_energies(), reference["atomic_energies"][3:])
    np.testing.assert_array_equal(atoms.get_stress(voigt=False), reference["stress"][1])


def test_a_label_that_is_missing_on_one_atom_is_left_out(crystals) -> None:
    crystals.labels["reference"]["forces"][4, 1] = np.nan
    assert "forces" not in labelled_atoms(crystals, 1).calc.results
    assert "forces" in labelled_atoms(crystals, 0).calc.results


def test_beads_have_their_own_masses(crystals) -> None:
    beads = (Bead("head", 30.0), Bead("tail", 14.0))
    species = np.array([1, 2, 2, 2, 1], np.uint8)
    atoms = atoms_of(replace(crystals, species=species, beads=beads), 0)
    assert atoms.numbers.tolist() == [1, 2, 2]
    assert atoms.get_masses().tolist() == [30, 14, 14]
