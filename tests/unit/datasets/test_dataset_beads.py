"""Beads in the dataset: stored in its file, and not taken for elements."""

import json
from dataclasses import replace

import numpy as np
import pytest

from mlipkd.checks.check import check, contents
from mlipkd.config.split import Split
from mlipkd.datasets.dataset import Bead, species_masses, species_name
from mlipkd.datasets.duplicates import duplicates
from mlipkd.datasets.file import DatasetFile, read, write
from mlipkd.datasets.splits import clusters, leaks, split
from mlipkd.distillation.merge import merge
from mlipkd.errors import InputError
from mlipkd.testing import dataset_of

BEADS = (Bead("choline", 104.17), Bead("chloride", 35.45))


@pytest.fixture
def dataset():
    """Beads in a row 9 Å apart: too far for elements 1 and 2, and for fingerprints."""
    rng = np.random.default_rng(2)
    row = 9.0 * np.arange(4)[:, None] * [1, 0, 0]
    frames = [row + rng.normal(scale=0.2, size=(4, 3)) for _ in range(12)]
    made = dataset_of(
        [(np.array([1, 2, 1, 2]), frame, np.zeros((3, 3))) for frame in frames],
        forces=rng.normal(size=(48, 3)),
    )
    return replace(made, beads=BEADS, groups=np.arange(12) // 3)


def test_names_and_masses_of_species() -> None:
    assert [species_name(z, BEADS) for z in (1, 2)] == ["choline", "chloride"]
    assert [species_name(z, ()) for z in (1, 8)] == ["H", "O"]
    assert species_masses(np.array([2, 1, 2]), BEADS).tolist() == [35.45, 104.17, 35.45]
    assert species_masses(np.array([1]), ()) == pytest.approx(1.008)


def test_beads_are_kept_by_the_file(dataset, tmp_path) -> None:
    write(dataset, tmp_path / "d.h5")
    assert read(tmp_path / "d.h5").beads == BEADS
    with DatasetFile(tmp_path / "d.h5") as file:
        assert file.beads == BEADS
        assert file.read([0, 7]).beads == BEADS
    write(replace(dataset, beads=()), tmp_path / "atoms.h5")
    assert read(tmp_path / "atoms.h5").beads == ()


def test_a_species_that_no_bead_names_is_refused(dataset, tmp_path) -> None:
    write(replace(dataset, beads=BEADS[:1]), tmp_path / "d.h5")
    with pytest.raises(InputError, match=r"expected species of beads from 1 to 1, got \(1, 2\)"):
        read(tmp_path / "d.h5")


def test_the_augmented_dataset_has_the_beads(dataset, tmp_path, write_predictions) -> None:
    write(dataset, tmp_path / "d.h5")
    forces = dataset.labels["reference"]["forces"]
    with DatasetFile(tmp_path / "d.h5") as file:
        sha256 = file.sha256
    members = [
        write_predictions(
            f"{n}.h5",
            tmp_path / "d.h5",
            {"energy": np.zeros(12), "forces": forces + n},
            n,
            dataset_sha256=sha256,
        )
        for n in range(2)
    ]
    merge(tmp_path / "d.h5", members, tmp_path / "augmented.h5", tmp_path / "manifest.json")
    augmented = read(tmp_path / "augmented.h5")
    assert augmented.beads == BEADS
    assert np.allclose(augmented.labels["teacher"]["forces"], forces + 0.5)
    assert len(json.loads((tmp_path / "manifest.json").read_text())["members"]) == 2


def test_distances_of_beads_are_no_bonds(dataset) -> None:
    of_one_kind = replace(dataset, species=np.ones(48, np.uint8), beads=BEADS[:1])
    assert check(of_one_kind).faults == []
    (fault,) = check(replace(of_one_kind, beads=())).faults
    assert "covalent radii" in fault


def test_only_copies_of_a_frame_are_duplicates(dataset) -> None:
    assert len(np.unique(duplicates(dataset))) == 12
    twice = duplicates(dataset.select([0, 1, 2, 1]))
    assert twice[1] == twice[3]
    assert len(np.unique(twice)) == 3


def test_runs_of_frames_stay_on_one_side(dataset) -> None:
    by_group = Split(by="group", test=0.25, validation=0.25)
    splits = split(clusters(dataset, by_group), by_group)
    assert [len(set(splits[run : run + 3])) for run in range(0, 12, 3)] == [1, 1, 1, 1]
    assert leaks(dataset, by_group) == []
    assert "split by group" in leaks(dataset, Split())[0]
    assert leaks(replace(dataset, beads=()), Split()) == []


def test_contents_name_the_beads(dataset) -> None:
    said = contents(dataset, check(dataset))
    assert "beads            48, from 4 to 4 in a configuration" in said
    assert "species          choline 24, chloride 24" in said
    assert "masses           choline 104.17 u, chloride 35.45 u" in said
    assert "duplicates       0" in said
