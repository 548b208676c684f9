"""Frames that were mapped elsewhere, in HDF5 and as NumPy arrays."""

import h5py
import numpy as np
import pytest

from mlipkd.checks.check import check
from mlipkd.checks.positions_and_labels import contacts
from mlipkd.checks.temperature import temperature
from mlipkd.errors import InputError
from mlipkd.readers.mapped import MappedHDF5, MappedNumPy
from mlipkd.units import HARTREE, NANOMETRE

ARRAYS = {
    "positions": np.arange(24, dtype=np.float32).reshape(4, 2, 3),
    "forces": np.ones((4, 2, 3), np.float32),
    "species": np.array([2, 1], np.uint8),
    "mass": np.array([8.0, 9.0]),
    "box": np.tile([30.0, 31.0, 32.0], (4, 1)),
}


@pytest.fixture
def hdf5(tmp_path):
    """A function that reads a file of the arrays with some replaced, and of others after it."""

    def read(*changes, **keys):
        paths = []
        for change in changes or ({},):
            paths.append(str(tmp_path / f"{len(paths)}.h5"))
            with h5py.File(paths[-1], "w") as file:
                for key, values in {**ARRAYS, **change}.items():
                    file[f"cg/{key}"] = values
        section = {
            "reader": "mapped-hdf5",
            "files": paths,
            "beads": ["light", "heavy"],
            "force_unit": "eV/Å",
            "temperature": 300,
            "blocks": 2,
            **keys,
        }
        return MappedHDF5.model_validate(section).read("d")

    return read


def test_hdf5_of_beads(hdf5) -> None:
    dataset = hdf5()
    assert [(bead.name, bead.mass) for bead in dataset.beads] == [("light", 9.0), ("heavy", 8.0)]
    assert dataset.species.tolist() == 4 * [2, 1]
    assert np.array_equal(dataset.positions, ARRAYS["positions"].reshape(-1, 3))
    assert np.array_equal(dataset.cells[3], np.diag([30.0, 31.0, 32.0]))
    assert np.array_equal(dataset.labels["reference"]["forces"], np.ones((8, 3)))
    assert dataset.groups.tolist() == [0, 0, 1, 1]


def test_units_are_those_stated(hdf5) -> None:
    dataset = hdf5(force_unit="Ha/bohr", length_unit="nm")
    assert np.allclose(dataset.labels["reference"]["forces"], 51.42207)  # CODATA
    assert np.allclose(dataset.positions, NANOMETRE * ARRAYS["positions"].reshape(-1, 3))
    assert np.allclose(dataset.cells[0], np.diag([300.0, 310.0, 320.0]))
    per_nanometre = hdf5(force_unit="kJ/mol/nm").labels["reference"]["forces"]
    assert np.allclose(per_nanometre, HARTREE / 2625.4996 / 10)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ([{"species": np.array([1, 3])}], r"each of the species \[1, 3\], got light, heavy"),
        ([{"mass": np.ones(3)}], r"expected a mass for each of 2 beads, got shape \(3,\)"),
        ([{"mass": np.zeros(2)}], r"expected one mass above 0 for 'light', got \[0.0\]"),
        ([{"box": np.ones(3)}], r"edges of a right-angled box of shape \(4, 3\), got \(3,\)"),
        ([{"forces": np.ones((4, 3, 3))}], r"expected forces of shape \(4, 2, 3\)"),
        ([{}, {"mass": np.array([8.0, 9.1])}], "1.h5: expected the masses of .*0.h5"),
        ([{}, {"species": np.array([1, 2]), "mass": np.array([9.0, 8.0])}], "in the same order"),
        ([{}, {"box": np.full((4, 3), 29.0)}], "1.h5: expected one box in all frames"),
    ],
)
def test_hdf5_that_does_not_fit_is_refused(hdf5, changes, message) -> None:
    with pytest.raises(InputError, match=message):
        hdf5(*changes)


def test_hdf5_of_another_layout_is_refused(hdf5) -> None:
    with pytest.raises(InputError, match=r"expected the group 'frames', found cg"):
        hdf5(group="frames")
    with pytest.raises(InputError, match=r"expected the group 'cg/box'"):
        hdf5(group="cg/box")


@pytest.fixture
def numpy_source(tmp_path):
    def make(positions, forces, **keys):
        np.save(tmp_path / "r.npy", positions, allow_pickle=True)
        np.save(tmp_path / "f.npy", forces)
        section = {
            "reader": "mapped-numpy",
            "positions": str(tmp_path / "r.npy"),
            "forces": str(tmp_path / "f.npy"),
            "beads": {"head": 12.0, "tail": 14.0},
            "force_unit": "kcal/mol/Å",
            "temperature": 300,
            **keys,
        }
        return MappedNumPy.model_validate(section)

    return make


def test_numpy_arrays_of_one_molecule(numpy_source) -> None:
    source = numpy_source(ARRAYS["positions"], ARRAYS["forces"])
    dataset = source.read("d")
    assert [(bead.name, bead.mass) for bead in dataset.beads] == [("head", 12.0), ("tail", 14.0)]
    assert dataset.species.tolist() == 4 * [1, 2]
    assert np.allclose(dataset.labels["reference"]["forces"], 0.0433641, rtol=1e-5)
    assert not dataset.periodic.any()
    assert dataset.groups.tolist() == [0, 1, 2, 3]  # fewer frames than runs
    assert set(dataset.provenance["source_sha256"]) == {source.positions, source.forces}


@pytest.mark.parametrize(
    ("positions", "forces", "message"),
    [
        (
            np.zeros((4, 3, 3)),
            np.zeros((4, 3, 3)),
            r"r.npy: expected positions .*\(frames, 2, 3\)",
        ),
        (np.zeros((4, 2, 3)), np.zeros((5, 2, 3)), r"f.npy: expected forces of shape \(4, 2, 3\)"),
        (np.array([object()]), np.zeros(1), r"r.npy: expected numbers .*allow_pickle"),
        (np.array(["text"]), np.zeros(1), r"r.npy: expected one array of numbers"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(numpy_source, positions, forces, message) -> None:
    with pytest.raises(InputError, match=message):
        numpy_source(positions, forces).read("d")


def test_a_deep_eutectic_solvent(shared_data) -> None:
    source = MappedHDF5(
        reader="mapped-hdf5",
        files=[str(shared_data / "des" / "cg_des.h5")],
        beads=["choline", "chloride", "urea"],
        force_unit="eV/Å",
        temperature=298.1,
    )
    dataset = source.read("des")
    assert len(dataset) == 472
    assert set(dataset.sizes.tolist()) == {2000}
    forces = dataset.labels["reference"]["forces"]
    spread = {b.name: forces[dataset.species == n].std() for n, b in enumerate(dataset.beads, 1)}
    assert spread == pytest.approx({"choline": 0.319, "chloride": 0.230, "urea": 0.249}, abs=6e-4)
    report = check(dataset.select(range(0, 472, 12)))
    assert report.faults == []


def test_alanine_dipeptide(shared_data) -> None:
    folder = shared_data / "cg"
    source = MappedNumPy(
        reader="mapped-numpy",
        positions=str(folder / "ala2_coordinates.npy"),
        forces=str(folder / "ala2_forces.npy"),
        beads={"C1": 12.011, "N2": 14.007, "CA": 12.011, "C2": 12.011, "N3": 14.007},
        force_unit="kcal/mol/Å",
        temperature=300,
    )
    dataset = source.read("ala2")
    assert len(dataset) == 10_000
    every_fourth = dataset.select(range(0, 10_000, 4))
    near = contacts(every_fourth)
    assert temperature(every_fourth, near).fault() is None
    wrong = source.model_copy(update={"force_unit": "eV/Å"}).read("ala2")
    fault = temperature(wrong.select(range(0, 10_000, 4)), near).fault()
    assert fault.startswith("expected forces that go with 300 K")
