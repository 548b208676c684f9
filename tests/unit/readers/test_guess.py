"""What a file is, told from what is in it."""

import h5py
import numpy as np
import pytest

from mlipkd.datasets.file import write
from mlipkd.errors import InputError
from mlipkd.readers.guess import guess_source, is_canonical


@pytest.mark.parametrize(
    ("place", "keys", "source"),
    [
        ("part/n32", ["species", "coordinates", "cell", "energy", "force"], {"reader": "ani-al"}),
        ("subset/mol0", ["species", "coordinates", "energies", "lot"], {"reader": "comp6"}),
        (
            "H2O1",
            ["atomic_numbers", "coordinates", "a.energy", "b.energy", "b.forces"],
            {"reader": "ani1x", "energy": "b.energy", "forces": "b.forces"},
        ),
        (
            "H2O1",
            ["atomic_numbers", "coordinates", "ccsd(t)_cbs.energy"],
            {"reader": "ani1x", "energy": "ccsd(t)_cbs.energy", "forces": None},
        ),
    ],
)
def test_layouts_are_told_apart(tmp_path, place, keys, source) -> None:
    with h5py.File(tmp_path / "data.h5", "w") as file:
        for key in keys:
            file[f"{place}/{key}"] = np.zeros(3)
    assert guess_source(tmp_path / "data.h5") == source
    assert not is_canonical(tmp_path / "data.h5")


def test_an_unknown_layout_is_refused(tmp_path) -> None:
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["cg/beads"] = np.zeros(3)
    with pytest.raises(InputError, match="found groups of beads; name its reader"):
        guess_source(tmp_path / "data.h5")


def test_text_is_left_to_ase(tmp_path) -> None:
    (tmp_path / "data.xyz").write_text("1\n\nH 0 0 0\n")
    assert guess_source(tmp_path / "data.xyz") == {"reader": "ase"}


def test_a_dataset_of_this_program_is_recognised(tmp_path, springs) -> None:
    write(springs, tmp_path / "dataset.h5")
    assert is_canonical(tmp_path / "dataset.h5")
