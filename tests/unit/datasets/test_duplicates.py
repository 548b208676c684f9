"""Duplicates are recognised however they are turned, and nothing else is."""

import numpy as np
import pytest
from ase.build import bulk

from mlipkd.datasets.duplicates import duplicates, join_clusters
from mlipkd.testing import dataset_of, random_crystal, random_molecule


def turned(rng, configuration):
    """The same configuration: renumbered, rotated or mirrored, moved, in single precision."""
    species, positions, cell = configuration
    order = rng.permutation(len(species))
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    shift = rng.normal(scale=3, size=3)
    if cell.any():  # atoms leave the box and come back on the other side
        positions = (positions @ np.linalg.inv(cell) + rng.integers(-1, 2, positions.shape)) @ cell
    moved = ((positions + shift) @ turn).astype(np.float32).astype(float)
    return species[order], moved[order], (cell @ turn).astype(np.float32).astype(float)


@pytest.mark.parametrize("kind", [random_molecule, random_crystal])
def test_turned_copies_are_found(kind) -> None:
    rng = np.random.default_rng(3)
    originals = [kind(rng, 8) for _ in range(20)]
    numbers = duplicates(dataset_of([*originals, *(turned(rng, one) for one in originals)]))
    assert np.array_equal(numbers[:20], numbers[20:])
    assert len(np.unique(numbers)) == 20


def test_small_changes_are_no_duplicates() -> None:
    rng = np.random.default_rng(4)
    species, positions, cell = random_molecule(rng, 9)
    near = [(species, positions + rng.normal(scale=0.02, size=(9, 3)), cell) for _ in range(200)]
    assert len(np.unique(duplicates(dataset_of(near)))) == 200


@pytest.mark.parametrize("repeat", [2, 4], ids=["32 atoms", "256 atoms"])
def test_one_atom_moved_in_a_crystal_is_seen_whatever_its_size(repeat) -> None:
    """As finite displacements of phonons are; copies of them are still recognised."""
    rng = np.random.default_rng(0)
    perfect = bulk("Al", cubic=True) * (repeat, repeat, repeat)
    moved = []
    for size in np.linspace(0.01, 0.1, 10):  # Å
        atoms = perfect.copy()
        atoms.positions[rng.integers(len(atoms))] += size * np.array([0.48, 0.6, 0.64])
        moved.append((atoms.numbers, atoms.positions, atoms.cell.array))
    numbers = duplicates(dataset_of([*moved, *(turned(rng, one) for one in moved)]))
    assert len(np.unique(numbers[:10])) == 10
    assert np.array_equal(numbers[:10], numbers[10:])


def test_rounded_copies_are_found() -> None:
    rng = np.random.default_rng(1)
    molecules = [random_molecule(rng, 20) for _ in range(20)]
    rounded = [(species, positions.round(5), cell) for species, positions, cell in molecules]
    numbers = duplicates(dataset_of([*molecules, *rounded]))
    assert np.array_equal(numbers[:20], numbers[20:])


def test_other_elements_at_the_same_places_are_no_duplicates() -> None:
    rng = np.random.default_rng(5)
    _, positions, cell = random_molecule(rng, 5)
    orders = [[6, 7, 8, 1, 1], [7, 6, 8, 1, 1], [6, 8, 7, 1, 1], [6, 7, 8, 8, 1]]
    numbers = duplicates(dataset_of([(np.array(one), positions, cell) for one in orders]))
    assert len(np.unique(numbers)) == 4


def test_a_box_and_its_supercell_are_different_but_the_boxes_are_one() -> None:
    rng = np.random.default_rng(6)
    species, positions, cell = random_crystal(rng, 3)
    other = cell.copy()
    other[1] += other[0]  # another choice of lattice vectors for the same crystal
    double = (
        np.tile(species, 2),
        np.vstack([positions, positions + cell[2]]),
        cell * np.array([[1], [1], [2]]),
    )
    numbers = duplicates(
        dataset_of([(species, positions, cell), (species, positions, other), double])
    )
    assert numbers[0] == numbers[1] != numbers[2]


def test_atoms_alone_are_duplicates_of_each_other() -> None:
    one = (np.array([1]), np.zeros((1, 3)), np.zeros((3, 3)))
    other = (np.array([1]), np.ones((1, 3)), np.zeros((3, 3)))
    helium = (np.array([2]), np.ones((1, 3)), np.zeros((3, 3)))
    numbers = duplicates(dataset_of([one, other, helium]))
    assert numbers[0] == numbers[1] != numbers[2]


def test_joining_follows_chains() -> None:
    assert join_clusters(np.array([0, 0, 1, 2, 3]), np.array([5, 6, 6, 7, 7])).tolist() in (
        [0, 0, 0, 1, 1],
        [1, 1, 1, 0, 0],
    )
