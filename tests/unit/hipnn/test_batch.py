"""Neighbour lists beside ASE's, and what makes them usable: order and reverse."""

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.neighborlist import neighbor_list

from mlipkd.hipnn.batch import Batcher, find_neighbours
from mlipkd.testing import dataset_of, random_crystal, random_molecule

CUTOFF = 4.5


def systems():
    generator = np.random.default_rng(5)
    numbers, positions, cell = random_crystal(generator, 5, (6, 8, 13))
    yield "crystal smaller than the cut-off", numbers, positions, cell, [True] * 3
    yield "slab", numbers, positions, cell, [True, True, False]
    yield "one atom and its images", numbers[:1], positions[:1], cell, [True] * 3
    yield "wire", numbers, positions + 7 * cell[0], cell, [False, False, True]
    numbers, positions, cell = random_molecule(generator, 9)
    yield "molecule", numbers, positions, cell, [False] * 3
    yield "one atom", numbers[:1], positions[:1], cell, [False] * 3
    yield "atoms far apart", numbers, positions * 30, cell, [False] * 3


@pytest.mark.parametrize("system", list(systems()), ids=lambda system: system[0])
def test_pairs_are_those_of_ase(system) -> None:
    _, numbers, positions, cell, periodic = system
    found = find_neighbours(numbers, positions, cell, np.array(periodic), CUTOFF)
    atoms = Atoms(numbers, positions, cell=cell, pbc=periodic)
    i, j, vectors = neighbor_list("ijD", atoms, CUTOFF)
    centres = np.repeat(np.arange(len(numbers)), np.diff(found.starts))
    ours = np.column_stack([centres, found.senders, found.vectors])
    theirs = np.column_stack([i, j, vectors])
    assert len(ours) == len(theirs)
    order = [np.lexsort(np.round(rows, 6).T[::-1]) for rows in (ours, theirs)]
    np.testing.assert_allclose(ours[order[0]], theirs[order[1]], atol=1e-9)


@pytest.mark.parametrize("system", list(systems()), ids=lambda system: system[0])
def test_reverse_leads_to_the_reverse_pair(system) -> None:
    _, numbers, positions, cell, periodic = system
    found = find_neighbours(numbers, positions, cell, np.array(periodic), CUTOFF)
    centres = np.repeat(np.arange(len(numbers)), np.diff(found.starts))
    there = found.starts[found.senders] + found.reverse  # (pairs,)
    np.testing.assert_array_equal(found.senders[there], centres)
    np.testing.assert_allclose(found.vectors[there], -found.vectors, atol=1e-12)
    np.testing.assert_array_equal(there[there], np.arange(len(there)))


def test_rows_of_a_batch_are_sorted_by_element() -> None:
    generator = np.random.default_rng(1)
    members = [random_molecule(generator, n, (1, 6, 8)) for n in (4, 1, 7)]
    batch = Batcher(dataset_of(members), (1, 6, 7, 8), CUTOFF, torch.float64).batch(
        torch.tensor([2, 0, 1])
    )
    assert batch.sizes.tolist() == [7, 4, 1]
    assert batch.bounds.shape == (12, 5)
    for atom, bounds in enumerate(batch.bounds.tolist()):
        for element in range(4):
            senders = batch.senders[atom, bounds[element] : bounds[element + 1]]
            assert (batch.elements[senders] == element).all()
        assert (batch.vectors[atom, bounds[-1] :, 0] == 2 * CUTOFF).all()
    assert torch.equal(batch.reverse[batch.reverse], torch.arange(len(batch.reverse)))
