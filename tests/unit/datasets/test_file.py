"""The canonical file: written and read back, whole and in parts."""

from dataclasses import replace

import h5py
import numpy as np
import pytest

from mlipkd.datasets import file
from mlipkd.datasets.file import DatasetFile, read, write
from mlipkd.errors import InputError
from mlipkd.jobs import artefacts
from mlipkd.testing import dataset_of, random_crystal, random_molecule

ARRAYS = ("species", "positions", "offsets", "cells", "periodic", "groups", "clusters", "splits")


def assert_same(one, other) -> None:
    for key in ARRAYS:
        original, stored = getattr(one, key), getattr(other, key)
        assert original.dtype == stored.dtype, key
        assert np.array_equal(original, stored), key
    assert set(one.labels) == set(other.labels)
    for whose, given in one.labels.items():
        assert set(given) == set(other.labels[whose])
        for label, values in given.items():
            assert np.array_equal(values, other.labels[whose][label], equal_nan=True), label


@pytest.fixture
def dataset():
    rng = np.random.default_rng(0)
    configurations = [random_molecule(rng, int(n)) for n in rng.integers(1, 30, 200)]
    configurations += [random_crystal(rng, 4) for _ in range(20)]
    atoms = sum(len(species) for species, _, _ in configurations)
    forces = rng.normal(size=(atoms, 3))
    forces[3] = np.nan
    made = dataset_of(
        configurations,
        energy=rng.normal(size=220),
        forces=forces,
        atomic_energies=rng.normal(size=atoms),
        stress=rng.normal(size=(220, 3, 3)),
    )
    teacher = {"teacher": {"forces": rng.normal(size=(atoms, 3))}}
    return replace(
        made,
        labels={**made.labels, **teacher},
        groups=rng.integers(0, 9, 220),
        clusters=rng.integers(0, 9, 220),
        splits=rng.integers(0, 4, 220).astype(np.uint8),
        provenance={"masked": ["forces"], "origins": [[0, "somewhere"]]},
    )


def test_what_is_written_is_read(dataset, tmp_path) -> None:
    write(dataset, tmp_path / "d.h5")
    back = read(tmp_path / "d.h5")
    assert_same(dataset, back)
    assert back.name == dataset.name
    assert back.provenance == dataset.provenance
    assert back.masked == {"forces"}


def test_the_index_says_what_is_in_the_file(dataset, tmp_path) -> None:
    write(dataset, tmp_path / "d.h5")
    with DatasetFile(tmp_path / "d.h5") as opened:
        assert len(opened) == 220
        assert opened.species_present == (1, 6, 7, 8, 13)
        assert set(opened.labels["teacher"]) == {"forces"}
        assert np.array_equal(opened.sizes, dataset.sizes)
        assert opened.sha256 == artefacts.sha256(tmp_path / "d.h5")


@pytest.mark.parametrize("rows_at_once", [64, 2**20])
def test_any_configurations_are_read_in_any_order(
    dataset, tmp_path, monkeypatch, rows_at_once
) -> None:
    monkeypatch.setattr(file, "CHUNK_ROWS", 50)
    monkeypatch.setattr(file, "ROWS_AT_ONCE", rows_at_once)
    write(dataset, tmp_path / "d.h5")
    rng = np.random.default_rng(1)
    with DatasetFile(tmp_path / "d.h5") as opened:
        for indices in ([7], [219, 0, 0, 100], rng.permutation(220), range(30, 60), []):
            assert_same(opened.read(indices), dataset.select(indices))


def test_neighbours_are_read_at_one_go(dataset, tmp_path, monkeypatch) -> None:
    write(dataset, tmp_path / "d.h5")
    with DatasetFile(tmp_path / "d.h5") as opened:
        ranges = []
        read_range = opened._range
        monkeypatch.setattr(
            opened, "_range", lambda *ends: ranges.append(ends[:2]) or read_range(*ends)
        )
        opened.read([5, 3, 9])
    assert ranges == [(3, 10)]


def test_energies_keep_double_precision_and_units_are_stated(dataset, tmp_path) -> None:
    write(dataset, tmp_path / "d.h5")
    with h5py.File(tmp_path / "d.h5") as raw:
        assert raw["labels/reference/energy"].dtype == np.float64
        assert raw["labels/reference/energy"].attrs["unit"] == "eV"
        assert raw["labels/reference/forces"].attrs["unit"] == "eV/Å"
        assert raw["positions"].attrs["unit"] == "Å"
        assert raw["positions"].fletcher32


def crafted(dataset, path, change):
    """A file changed by someone who put a new hash next to it."""
    write(dataset, path)
    with h5py.File(path, "r+") as raw:
        change(raw)
    artefacts.sidecar(path).write_text(f"{artefacts.sha256(path)}  {path.name}\n")
    return path


def shorten(key):
    def change(raw):
        values = raw[key][()]
        del raw[key]
        raw[key] = values[:-1]

    return change


def remove(key):
    return lambda raw: raw.__delitem__(key)


def put_unknown_element(raw):
    raw["species"][0] = 200


def rename_format(raw):
    raw.attrs["format"] = "something else"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (shorten("positions"), "expected positions of shape"),
        (shorten("labels/reference/energy"), "expected labels/reference/energy of shape"),
        (remove("cells"), "cut short or damaged"),
        (put_unknown_element, "expected atomic numbers from 1 to 118"),
        (rename_format, "expected format"),
    ],
)
def test_a_crafted_file_is_refused(dataset, tmp_path, change, message) -> None:
    path = crafted(dataset, tmp_path / "d.h5", change)
    with pytest.raises(InputError, match=message) as raised:
        DatasetFile(path)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)
