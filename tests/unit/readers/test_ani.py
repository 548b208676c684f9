"""The layouts of the ANI releases, written small."""

import h5py
import numpy as np
import pytest
from ase.units import Hartree

from mlipkd.readers.ani import Ani1x, AniAl, Comp6
from mlipkd.units import HARTREE

RNG = np.random.default_rng(0)


def test_ani_al_forces_are_gradients_in_hartree(tmp_path) -> None:
    path = tmp_path / "al.h5"
    lattice = RNG.random((4, 3)) * 8
    positions = lattice + RNG.normal(scale=0.02, size=(6, 4, 3))
    positions[3:] += RNG.random((4, 3)) * 4  # another trajectory
    cells = np.tile(8.0 * np.eye(3), (6, 1, 1))
    gradient = RNG.normal(size=(6, 4, 3))
    with h5py.File(path, "w") as file:
        group = file.create_group("part/run")
        group["species"] = np.array([b"Al"] * 4)
        group["coordinates"] = positions.astype(np.float32)
        group["cell"] = cells
        group["energy"] = np.arange(6.0)
        group["force"] = gradient
    dataset = AniAl(reader="ani-al", files=[str(path)]).read("al")
    reference = dataset.labels["reference"]
    assert np.allclose(reference["energy"], Hartree * np.arange(6))
    assert np.allclose(reference["forces"], -Hartree * gradient.reshape(-1, 3))
    assert np.allclose(dataset.positions, positions.reshape(-1, 3), atol=1e-6)
    assert set(dataset.species.tolist()) == {13}
    assert dataset.periodic.all()
    assert dataset.groups.tolist() == [0, 0, 0, 1, 1, 1]
    assert list(dataset.provenance["source_sha256"]) == [str(path)]


@pytest.fixture
def ani1x(tmp_path):
    path = tmp_path / "ani1x.h5"
    with h5py.File(path, "w") as file:
        for formula, numbers in {"H2O1": [8, 1, 1], "C1H4": [6, 1, 1, 1, 1]}.items():
            group = file.create_group(formula)
            group["atomic_numbers"] = np.array(numbers, np.uint8)
            group["coordinates"] = RNG.random((4, len(numbers), 3)).astype(np.float32)
            group["wb97x_dz.energy"] = np.arange(4.0)
            group["wb97x_dz.forces"] = np.ones((4, len(numbers), 3), np.float32)
            group["ccsd(t)_cbs.energy"] = np.array([10, np.nan, 12, 13])
        file["H2O1/wb97x_dz.forces"][2, 1] = np.nan
    return str(path)


def test_ani1x_forces_are_forces_and_missing_ones_stay_missing(ani1x) -> None:
    source = Ani1x(
        reader="ani1x", files=[ani1x], energy="wb97x_dz.energy", forces="wb97x_dz.forces"
    )
    dataset = source.read("ani1x")
    forces = dataset.labels["reference"]["forces"]
    assert len(dataset) == 8
    missing = dataset.offsets[4 + 2] + 1  # H2O1 follows C1H4
    assert np.flatnonzero(np.isnan(forces).any(1)).tolist() == [missing]
    assert np.allclose(np.delete(forces, missing, axis=0), Hartree)
    assert dataset.masked == {"forces"}
    assert dataset.groups.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]


def test_ani1x_configurations_without_the_energy_are_left_out_and_counted(ani1x) -> None:
    source = Ani1x(reader="ani1x", files=[ani1x], energy="ccsd(t)_cbs.energy")
    dataset = source.read("ani1x")
    reference = dataset.labels["reference"]
    assert np.allclose(reference["energy"], Hartree * np.array([10, 12, 13, 10, 12, 13]))
    assert list(reference) == ["energy"]
    assert dataset.provenance["notes"] == [
        "left out 2 of 8 configurations, which have no ccsd(t)_cbs.energy"
    ]


def test_ani1x_configurations_are_counted_among_those_with_the_energy(ani1x) -> None:
    source = Ani1x(reader="ani1x", files=[ani1x], energy="ccsd(t)_cbs.energy")
    where = f"{ani1x}:/H2O1, of those with ccsd(t)_cbs.energy: configuration 1 "
    assert source.read("ani1x").place(4).startswith(where)  # that is 2 in the file


def test_comp6_forces_are_gradients_and_molecules_are_groups(tmp_path) -> None:
    path = tmp_path / "comp6.h5"
    gradient = RNG.normal(size=(3, 2, 3))
    with h5py.File(path, "w") as file:
        for molecule in ("mol00", "mol01"):
            group = file.create_group(f"subset/{molecule}")
            group["species"] = np.array([b"C", b"O"])
            group["coordinates"] = RNG.random((3, 2, 3))
            group["energies"] = np.arange(3.0)
            group["forces"] = gradient
            group["lot"] = np.array([b"wb97x/6-31g*"])
    dataset = Comp6(reader="comp6", files=[str(path)]).read("comp6")
    reference = dataset.labels["reference"]
    assert np.allclose(reference["forces"][:6], -Hartree * gradient.reshape(-1, 3))
    assert np.allclose(reference["energy"][3:], Hartree * np.arange(3))
    assert dataset.groups.tolist() == [0, 0, 0, 1, 1, 1]


def test_energies_in_single_precision_are_scaled_in_double(tmp_path) -> None:
    energy = np.array([-1234.5678, -0.1], np.float32)
    with h5py.File(tmp_path / "comp6.h5", "w") as file:
        group = file.create_group("subset/mol00")
        group["species"] = np.array([b"C", b"O"])
        group["coordinates"] = RNG.random((2, 2, 3))
        group["energies"] = energy
    dataset = Comp6(reader="comp6", files=[str(tmp_path / "comp6.h5")]).read("comp6")
    assert (
        dataset.labels["reference"]["energy"].tolist() == (energy.astype(float) * HARTREE).tolist()
    )


def test_trajectories_of_the_aluminium_release_are_recognised(shared_data) -> None:
    """152 trajectories of 8 frames were made, and 11 frames dropped (al-stats.json)."""
    files = sorted(str(path) for path in (shared_data / "al").glob("*.h5"))
    dataset = AniAl(reader="ani-al", files=files).read("al")
    assert len(dataset) == 152 * 8 - 11
    lengths = np.bincount(dataset.groups)
    assert lengths.max() == 8
    assert (lengths == 8).sum() >= 152 - 11
