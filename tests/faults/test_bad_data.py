"""Data that cannot be used: one line with file, place and remedy, and nothing is written."""

import sys

import ase.io
import h5py
import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.units import Bohr, Hartree

from mlipkd.cli.main import main
from mlipkd.jobs import artefacts

SPECIES = np.array([8, 1, 1], np.uint8)
REST = np.array([[0.0, 0.0, 0.0], [0.96, 0.0, 0.0], [-0.24, 0.93, 0.0]])  # Å
STIFFNESS = 1.0  # Ha/Å²


@pytest.fixture
def arrays():
    """Thirty configurations of a molecule with springs between its atoms: Å, Ha, Ha/Å, forces."""
    positions = REST + np.random.default_rng(0).normal(scale=0.05, size=(30, 3, 3))
    vectors = positions[:, None] - positions[:, :, None]  # (configurations, atoms, atoms, 3)
    lengths = np.linalg.norm(vectors, axis=-1) + np.eye(3)  # (configurations, atoms, atoms)
    rest = np.linalg.norm(REST[None] - REST[:, None], axis=-1) + np.eye(3)
    pull = STIFFNESS * (lengths - rest) / lengths
    return {
        "atomic_numbers": SPECIES,
        "coordinates": positions,
        "dft.energy": -76.4 + 0.25 * STIFFNESS * ((lengths - rest) ** 2).sum((1, 2)),
        "dft.forces": (pull[..., None] * vectors).sum(2),
    }


@pytest.fixture
def mlipkd(monkeypatch, capsys):
    """The command line: arguments to exit status, standard output and error."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["mlipkd", *map(str, words)])
        with pytest.raises(SystemExit) as stopped:
            main()
        output = capsys.readouterr()
        return stopped.value.code or 0, output.out, output.err

    return run


def write_hdf5(path, arrays):
    with h5py.File(path, "w") as file:
        for key, values in arrays.items():
            file[f"H2O1/{key}"] = values


def settings_for(path, tmp_path, **keys):
    source = {"reader": "ani1x", "energy": "dft.energy", "forces": "dft.forces"}
    content = {
        "name": "water",
        "source": {**source, "files": [str(path)], **keys},
        "split": {"test": 0.2, "validation": 0.1},
    }
    settings = tmp_path / "settings.yaml"
    settings.write_text(yaml.safe_dump(content))
    return settings


def refused(mlipkd, path, settings, tmp_path, *parts):
    """Both verbs say the same in one line for each fault, and nothing is left behind."""
    output = tmp_path / "results" / "water" / "dataset.h5"
    for words in (
        ("dataset", "--settings", settings, "--output", output),
        ("check", path),
    ):
        status, _, error = mlipkd(*words)
        assert status == 2, words
        assert "Traceback" not in error
        lines = error.splitlines()
        assert lines
        for line in lines:
            assert line.startswith("error: ")
            assert str(path) in line
            assert "; " in line  # what was wrong; and the remedy
        for part in parts:
            assert part in error, words
    assert not output.parent.exists() or not list(output.parent.iterdir())


def test_good_data_are_written_and_pass(mlipkd, tmp_path, arrays) -> None:
    write_hdf5(tmp_path / "water.h5", arrays)
    settings = settings_for(tmp_path / "water.h5", tmp_path)
    output = tmp_path / "dataset.h5"
    status, _, error = mlipkd("dataset", "--settings", settings, "--output", output)
    assert (status, error) == (0, "")
    for path in (tmp_path / "water.h5", output):
        status, said, error = mlipkd("check", path)
        assert (status, error) == (0, "")
        assert "30 in 1 groups" in said
        assert "forces go with the energies (slope +0.99" in said


def nan_energy(arrays):
    # In this layout NaN means "not computed", so an infinite one stands for a broken number.
    arrays["dft.energy"][7] = np.inf


def infinite_force(arrays):
    arrays["dft.forces"][7, 1, 2] = np.inf


def energy_in_ev(arrays):
    arrays["dft.energy"] *= Hartree
    arrays["dft.forces"] *= Hartree


def forces_per_bohr(arrays):
    arrays["dft.forces"] *= Bohr


def positions_in_bohr(arrays):
    arrays["coordinates"] /= Bohr


def gradients(arrays):
    arrays["dft.forces"] *= -1


def too_few_energies(arrays):
    arrays["dft.energy"] = arrays["dft.energy"][:-1]


def forces_of_other_atoms(arrays):
    arrays["dft.forces"] = arrays["dft.forces"][:, :2]


def flat_positions(arrays):
    arrays["coordinates"] = arrays["coordinates"].reshape(30, 9)


def unknown_element(arrays):
    arrays["atomic_numbers"] = np.array([8, 1, 130], np.uint8)


def empty_molecule(arrays):
    arrays["atomic_numbers"] = np.array([], np.uint8)
    arrays["coordinates"] = np.zeros((30, 0, 3))
    arrays["dft.forces"] = np.zeros((30, 0, 3))


def overlapping_atoms(arrays):
    arrays["coordinates"][7, 1] = arrays["coordinates"][7, 2] + [0, 0, 0.01]


def position_nowhere(arrays):
    arrays["coordinates"][7, 1, 0] = np.nan


def text_for_numbers(arrays):
    arrays["dft.energy"] = np.array([b"low"] * 30)


@pytest.mark.parametrize(
    ("spoil", "parts"),
    [
        (nan_energy, ["/H2O1: configuration 7: expected finite reference energy"]),
        (infinite_force, ["/H2O1: configuration 7: expected finite reference forces"]),
        (energy_in_ev, ["in eV, but read as Ha"]),
        (forces_per_bohr, ["between bohr and Å"]),
        (positions_in_bohr, ["in bohr, but read as Å"]),
        (gradients, ["expected forces F = -dE/dR, got the gradient"]),
        (too_few_energies, ["/H2O1: expected a row of 'coordinates' for each energy"]),
        (forces_of_other_atoms, ["/H2O1: expected forces of shape (30, 3, 3)", "(30, 2, 3)"]),
        (flat_positions, ["/H2O1: expected positions of shape (30, 3, 3)", "(30, 9)"]),
        (unknown_element, ["/H2O1: expected atomic numbers from 1 to 118, got 130"]),
        (empty_molecule, ["/H2O1: expected atoms, got an empty molecule"]),
        (overlapping_atoms, ["/H2O1: configuration 7: expected atoms at least 0.4 Å apart"]),
        (position_nowhere, ["/H2O1: configuration 7: expected positions", "NaN".lower()]),
        (text_for_numbers, ["/H2O1: expected numbers in 'dft.energy'"]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_bad_data_are_refused(mlipkd, tmp_path, arrays, inject, spoil, parts) -> None:
    inject("data: units, signs, shapes or numbers that cannot be", "refused")
    spoil(arrays)
    path = tmp_path / "water.h5"
    write_hdf5(path, arrays)
    refused(mlipkd, path, settings_for(path, tmp_path), tmp_path, *parts)


def test_a_nan_where_no_mask_is_declared_is_refused(mlipkd, tmp_path, arrays) -> None:
    path = tmp_path / "water.extxyz"
    frames = []
    for m, positions in enumerate(arrays["coordinates"]):
        frames.append(Atoms(SPECIES, positions))
        frames[-1].info["E"] = np.nan if m == 7 else arrays["dft.energy"][m]
        frames[-1].arrays["F"] = arrays["dft.forces"][m]
    ase.io.write(path, frames)
    keys = {"reader": "ase", "energy_key": "E", "forces_key": "F", "energy_unit": "Ha"}
    settings = tmp_path / "settings.yaml"
    source = {**keys, "files": [str(path)]}
    settings.write_text(yaml.safe_dump({"name": "water", "source": source, "split": {}}))
    output = tmp_path / "results" / "dataset.h5"
    options = ["--energy-key", "E", "--forces-key", "F", "--energy-unit", "Ha"]
    for words in (
        ["dataset", "--settings", settings, "--output", output],
        ["check", path, *options],
    ):
        status, _, error = mlipkd(*words)
        assert status == 2
        assert f"{path}: configuration 7: expected finite reference energy" in error
    assert not output.exists()


def cut_short(path):
    path.write_bytes(path.read_bytes()[:-500])


def no_hdf5(path):
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(500))


def flipped_bit(path):
    """In the middle of checksummed data."""
    with h5py.File(path, "r+") as file:
        values = file["H2O1/coordinates"][()]
        del file["H2O1/coordinates"]
        data = file["H2O1"].create_dataset(
            "coordinates", data=values, chunks=values.shape, fletcher32=True
        )
        offset = data.id.get_chunk_info(0).byte_offset
    content = bytearray(path.read_bytes())
    content[offset + 100] ^= 1
    path.write_bytes(bytes(content))


def external_link(path):
    with h5py.File(path, "r+") as file:
        file["H2O1/secret"] = h5py.ExternalLink("/etc/passwd", "/")


def soft_link(path):
    with h5py.File(path, "r+") as file:
        file["H2O2"] = h5py.SoftLink("/H2O1")


def external_storage(path):
    with h5py.File(path, "r+") as file:
        del file["H2O1/dft.energy"]
        file["H2O1"].create_dataset("dft.energy", (30,), float, external=[("/etc/passwd", 0, 240)])


def objects(path):
    with h5py.File(path, "r+") as file:
        file["H2O1/smiles"] = ["O"] * 30


def twenty_four_terabytes(path):
    with h5py.File(path, "w") as file:
        group = file.create_group("H2O1")
        group["atomic_numbers"] = SPECIES
        group["dft.energy"] = np.zeros(1)
        group.create_dataset("coordinates", (10**12, 1, 3), float, chunks=(1000, 1, 3))
    assert path.stat().st_size < 20_000


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (cut_short, "cut short or damaged"),
        (no_hdf5, "cut short or damaged"),
        (flipped_bit, "cut short or damaged"),
        (external_link, "got an external link"),
        (soft_link, "got a soft link"),
        (external_storage, "got data kept in another file"),
        (objects, "got objects of variable length"),
        (twenty_four_terabytes, "it declares 24 TB"),
    ],
)
def test_damaged_and_hostile_files_are_refused(
    mlipkd, tmp_path, arrays, inject, damage, message
) -> None:
    inject("hostile: source with links, objects, 24 TB, or damaged", "refused")
    path = tmp_path / "water.h5"
    write_hdf5(path, arrays)
    damage(path)
    refused(mlipkd, path, settings_for(path, tmp_path), tmp_path, message)


@pytest.mark.parametrize("byte", [0.05, 0.5, 0.95])
def test_a_flipped_bit_of_a_dataset_is_seen(mlipkd, tmp_path, arrays, inject, byte) -> None:
    inject("damage: dataset, a bit flipped", "refused")
    write_hdf5(tmp_path / "water.h5", arrays)
    output = tmp_path / "dataset.h5"
    settings = settings_for(tmp_path / "water.h5", tmp_path)
    assert mlipkd("dataset", "--settings", settings, "--output", output)[0] == 0
    content = bytearray(output.read_bytes())
    content[int(byte * len(content))] ^= 1
    output.write_bytes(bytes(content))
    status, _, error = mlipkd("check", output)
    assert status == 2
    assert error.startswith(f"error: {output}: expected SHA-256")


def test_an_older_dataset_survives_bad_data(mlipkd, tmp_path, arrays) -> None:
    path, output = tmp_path / "water.h5", tmp_path / "dataset.h5"
    write_hdf5(path, arrays)
    settings = settings_for(path, tmp_path)
    assert mlipkd("dataset", "--settings", settings, "--output", output)[0] == 0
    before = artefacts.sha256(output)
    gradients(arrays)
    write_hdf5(path, arrays)
    assert mlipkd("dataset", "--settings", settings, "--output", output)[0] == 2
    assert artefacts.verify(output) == before


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.h5", None, "expected a file, found none"),
        ("short.extxyz", "3\nProperties=species:S:1:pos:R:3\nO 0 0 0\n", "that ASE reads"),
        ("element.xyz", "1\n\nXx 0 0 0\n", "that ASE reads"),
        ("nothing.extxyz", "", "that ASE reads"),
        ("unlabelled.xyz", "1\n\nO 0 0 0\n", "expected 'energy'"),
    ],
)
def test_other_files_are_refused(mlipkd, tmp_path, name, content, message) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_text(content)
    status, _, error = mlipkd("check", path)
    assert status == 2
    assert error.startswith(f"error: {path}")
    assert message in error
    assert len(error.splitlines()) == 1


def test_each_fault_has_its_line(mlipkd, tmp_path, arrays) -> None:
    overlapping_atoms(arrays)
    infinite_force(arrays)
    arrays["dft.energy"][3] = -np.inf
    path = tmp_path / "water.h5"
    write_hdf5(path, arrays)
    _, _, error = mlipkd("check", path)
    assert len(error.splitlines()) == 3
