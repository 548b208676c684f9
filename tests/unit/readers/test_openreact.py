"""The reader of OpenREACT-CHON-EFH against small files in its layout."""

import h5py
import numpy as np
import pytest
from ase.units import Bohr, Hartree

from mlipkd.datasets.file import kinds_of
from mlipkd.errors import InputError
from mlipkd.readers.guess import guess_source
from mlipkd.readers.openreact import OpenReact

RNG = np.random.default_rng(0)


def write(path, name="mol", count=2, species=(b"O", b"H"), **changed):
    """A file of one group, some of whose arrays are changed; None leaves one out."""
    n = len(species)
    arrays = {
        "species": np.array(species),
        "coordinates": RNG.random((count, n, 3)),
        "energies": np.arange(float(count)),
        "forces": RNG.random((count, n, 3)),
        "hessian": RNG.random((count, 3 * n, 3 * n)),
    } | changed
    with h5py.File(path, "a") as file:
        for key, values in arrays.items():
            if values is not None:
                file[f"{name}/{key}"] = values
    return arrays


def read(files, **units):
    return OpenReact(reader="openreact", files=files, **units).read("open")


def test_entries_of_hessians_find_their_atoms_and_directions(tmp_path) -> None:
    arrays = write(tmp_path / "a.h5", "deep/er/mol")
    reference = read([str(tmp_path / "a.h5")]).labels["reference"]
    blocks = reference["hessian"].reshape(2, 2, 2, 3, 3)
    # Configuration 1, atoms 1 and 0, directions 2 and 1.
    assert blocks[1, 1, 0, 2, 1] == pytest.approx(Hartree * arrays["hessian"][1, 3 + 2, 1])
    assert np.allclose(reference["forces"], Hartree * arrays["forces"].reshape(-1, 3))
    assert np.allclose(reference["energy"], [0, Hartree])


def test_hessians_may_have_axes_for_atoms_and_species_may_be_numbers(tmp_path) -> None:
    flat = write(tmp_path / "flat.h5")
    write(
        tmp_path / "axes.h5",
        **{**flat, "species": np.array([8, 1]), "hessian": flat["hessian"].reshape(2, 2, 3, 2, 3)},
    )
    one, other = (read([str(tmp_path / name)]) for name in ("flat.h5", "axes.h5"))
    assert np.array_equal(one.species, other.species)
    assert np.array_equal(one.labels["reference"]["hessian"], other.labels["reference"]["hessian"])


def test_a_single_configuration_may_stand_alone(tmp_path) -> None:
    write(
        tmp_path / "one.h5",
        coordinates=RNG.random((2, 3)),
        energies=-3.0,
        forces=RNG.random((2, 3)),
        hessian=RNG.random((6, 6)),
    )
    assert len(read([str(tmp_path / "one.h5")])) == 1


def test_units_and_sign_are_those_stated(tmp_path) -> None:
    arrays = write(tmp_path / "a.h5")
    dataset = read(
        [str(tmp_path / "a.h5")],
        length_unit="bohr",
        force_unit="Ha/bohr",
        hessian_unit="Ha/bohr^2",
        force_sign=-1,
    )
    reference = dataset.labels["reference"]
    assert np.allclose(dataset.positions, Bohr * arrays["coordinates"].reshape(-1, 3))
    assert np.allclose(reference["forces"], -Hartree / Bohr * arrays["forces"].reshape(-1, 3))
    first = Hartree / Bohr**2 * arrays["hessian"][0, :3, :3]
    assert np.allclose(reference["hessian"][0], first)


def test_files_tell_kinds_apart(tmp_path) -> None:
    for name in ("rtp", "nms"):
        write(tmp_path / f"{name}.h5")
    files = {name: [str(tmp_path / f"{name}.h5")] for name in ("rtp", "nms")}
    dataset = read(files)
    assert kinds_of(dataset).tolist() == ["rtp", "rtp", "nms", "nms"]
    assert set(dataset.provenance["source_sha256"]) == {path for (path,) in files.values()}
    source = OpenReact(reader="openreact", files=files)
    assert source.paths == [*files["rtp"], *files["nms"]]


def test_its_layout_is_recognised(tmp_path) -> None:
    write(tmp_path / "a.h5")
    assert guess_source(tmp_path / "a.h5") == {"reader": "openreact"}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"hessian": np.zeros((2, 2, 2, 3, 3))},
            r"expected 'hessian' of shape \(configurations, 6, 6\) or .*got \(2, 2, 2, 3, 3\)",
        ),
        ({"forces": None}, "/mol: expected 'forces', found coordinates, energies"),
        ({"hessian": None}, "expected groups with 'hessian', found none"),
        ({"forces": np.zeros((3, 2, 3))}, r"expected forces of shape \(2, 2, 3\)"),
    ],
)
def test_another_layout_is_refused(tmp_path, changed, message) -> None:
    write(tmp_path / "bad.h5", **changed)
    with pytest.raises(InputError, match=message):
        read([str(tmp_path / "bad.h5")])
