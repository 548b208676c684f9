"""Molecules out of structures, and back into a box."""

import shutil

import MDAnalysis as mda
import numpy as np
import pytest

from mlipkd.config.simulation import Molecule
from mlipkd.errors import InputError
from mlipkd.simulations.system import packed, piled, read_structure, write_box


@pytest.fixture
def structures(simulation) -> dict:
    molecules = simulation().molecules
    return {name: read_structure(name, molecule) for name, molecule in molecules.items()}


def test_a_molecule_is_whole_and_has_its_names(structures) -> None:
    dimer, ion = structures["DIM"], structures["anion"]
    assert (dimer.residue, dimer.names) == ("DIM", ("HA", "HB"))
    assert (ion.residue, ion.names) == ("ION", ("IO",))
    np.testing.assert_allclose(dimer.positions, [[29.5, 10, 10], [30.5, 10, 10]], atol=1e-5)


def test_a_box_is_read_as_it_was_written(structures, tmp_path) -> None:
    counts = {"DIM": 2, "anion": 3}
    positions = piled(structures, counts)
    assert positions.shape == (7, 3)
    positions[4:] += np.arange(9).reshape(3, 3)
    write_box(tmp_path / "box.gro", structures, counts, positions, 31.5)
    read = mda.Universe(str(tmp_path / "box.gro"), to_guess=())
    assert list(read.atoms.names) == ["HA", "HB"] * 2 + ["IO"] * 3
    assert list(read.residues.resnames) == ["DIM"] * 2 + ["ION"] * 3
    np.testing.assert_allclose(read.atoms.positions, positions, atol=0.006)
    np.testing.assert_allclose(read.dimensions, [31.5, 31.5, 31.5, 90, 90, 90])


@pytest.mark.skipif(shutil.which("packmol") is None, reason="packmol is not installed")
def test_packed_molecules_are_rigid_and_apart(structures) -> None:
    positions, how = packed(structures, {"DIM": 5, "anion": 4}, 12.0, seed=3)
    assert how.startswith("packmol ")
    assert positions.min() > 0.9
    assert positions.max() < 11.1
    dimers = positions[:10].reshape(5, 2, 3)
    np.testing.assert_allclose(np.linalg.norm(dimers[:, 1] - dimers[:, 0], axis=1), 1, atol=1e-4)
    distances = np.linalg.norm(positions[:, None] - positions[None], axis=2)
    molecule = np.array([0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 6, 7, 8])
    assert distances[molecule[:, None] != molecule].min() > 1.95


def test_a_residue_that_is_not_there_is_named(simulation) -> None:
    molecule = simulation().molecules["anion"].model_copy(update={"residue": "NA"})
    with pytest.raises(InputError, match=r"two.gro: expected a residue 'NA', found DIM, ION"):
        read_structure("anion", molecule)


def test_a_file_that_is_no_structure_is_named(tmp_path) -> None:
    (tmp_path / "bad.gro").write_text("nothing\n")
    for name in ("bad.gro", "none.gro"):
        molecule = Molecule(number=1, structure=str(tmp_path / name))
        with pytest.raises(InputError, match=f"{name}: expected a structure"):
            read_structure("DIM", molecule)
