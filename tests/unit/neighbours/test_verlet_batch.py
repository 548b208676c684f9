"""Several structures as one Verlet list: as if each had been alone, also as they move and leave."""

import numpy as np
import pytest
import torch

from mlipkd.errors import InputError
from mlipkd.neighbours import chunks, rows
from mlipkd.neighbours.chunks import evaluate_system
from mlipkd.neighbours.verlet import VerletBatch, VerletList
from tests.unit.dynamics.systems import SPECIES, alloy, model_of


@pytest.fixture
def structures():
    shifted = alloy(1)
    shifted.set_cell(shifted.cell * [1.05, 1.0, 0.97], scale_atoms=True)
    return [alloy(2), shifted, alloy(1)]


def alone(model, atoms) -> np.ndarray:
    own = VerletList(SPECIES, 5.0, 0.0, torch.float64)
    own.update(atoms)
    return evaluate_system(model, own)["forces"].numpy()


@pytest.mark.parametrize("compiled", [True, False], ids=["kernels", "torch"])
@pytest.mark.parametrize("n_interactions", [1, 2])
def test_same_as_alone(structures, n_interactions, compiled, monkeypatch) -> None:
    if not compiled:
        monkeypatch.setattr(rows, "library", lambda: None)
    monkeypatch.setitem(chunks.CHUNK, "cpu", 6 * 2 * 7)  # chunks of seven atoms
    model, batch = model_of(n_interactions), VerletBatch(SPECIES, 5.0, 0.5, torch.float64)
    batch.update(structures)
    for number, atoms in enumerate(structures):
        atoms.rattle(0.01, seed=number)
    structures[0].rattle(0.3, seed=4)  # one list is made anew, the others hold
    structures[2].set_cell(structures[2].cell * 1.01, scale_atoms=True)
    batch.update(structures)
    assert [one.builds for one in batch.lists] == [2, 1, 1]
    forces = np.concatenate([alone(model, atoms) for atoms in structures], axis=1)
    np.testing.assert_allclose(evaluate_system(model, batch)["forces"].numpy(), forces, atol=1e-10)
    assert torch.bincount(batch.systems).tolist() == [len(atoms) for atoms in structures]
    np.testing.assert_allclose(batch.volumes, [atoms.get_volume() for atoms in structures])

    del structures[1]
    batch.update(structures)
    forces = np.concatenate([alone(model, atoms) for atoms in structures], axis=1)
    np.testing.assert_allclose(evaluate_system(model, batch)["forces"].numpy(), forces, atol=1e-10)


def test_systems_with_and_without_a_volume(structures) -> None:
    free = structures[0].copy()
    free.set_cell(None)
    free.pbc = False
    batch = VerletBatch(SPECIES, 5.0, 0.5, torch.float64)
    batch.update([free, structures[1]])
    assert batch.volumes.dtype == torch.float64
    np.testing.assert_allclose(batch.volumes, [0, structures[1].get_volume()], rtol=1e-14)


@pytest.mark.parametrize("pbc", [(True, True, True), (True, False, True)])
def test_atoms_put_back_into_the_cell_are_followed(pbc) -> None:
    """Whole lattice vectors, along periodic directions, are no movement."""
    atoms, model = alloy(2), model_of(1)
    atoms.pbc = pbc
    atoms.set_cell(atoms.cell @ [[1, 0.1, 0], [0, 1, 0], [0, 0.2, 1]], scale_atoms=True)
    own = VerletList(SPECIES, 5.0, 0.5, torch.float64)
    own.update(atoms)
    before = evaluate_system(model, own)["forces"].numpy()
    images = np.random.default_rng(0).integers(-3, 4, (len(atoms), 3)) * pbc
    atoms.positions += images @ atoms.cell.array
    own.update(atoms)
    assert own.builds == 1
    np.testing.assert_allclose(evaluate_system(model, own)["forces"].numpy(), before, atol=1e-10)


def test_atoms_far_away_do_not_cost_memory() -> None:
    """Images are counted from within the cell, wherever atoms have diffused to."""
    atoms = alloy(2)
    atoms.positions += 1000 * np.arange(-16, 16)[:, None] * np.diag(atoms.cell.array)
    own = VerletList(SPECIES, 5.0, 0.5, torch.float64)
    own.update(atoms)
    assert len(own.rows.shifts) <= 5**3


def test_an_atom_that_is_nowhere_is_refused(structures) -> None:
    batch = VerletBatch(SPECIES, 5.0, 0.5, torch.float64)
    batch.update(structures)
    structures[1].positions[2] = np.nan
    with pytest.raises(InputError, match=r"\(nan, nan, nan\) Å for atom 2"):
        batch.update(structures)
