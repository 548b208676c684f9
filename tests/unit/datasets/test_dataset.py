"""Cutting flat arrays into configurations and back."""

import numpy as np
import pytest

from mlipkd.checks.positions_and_labels import bad_labels
from mlipkd.datasets.blocks import Block, assemble
from mlipkd.datasets.dataset import UNUSED, chosen_rows, row_offsets
from mlipkd.datasets.file import DatasetFile, write
from mlipkd.errors import InputError


def block(place, species, count, **other):
    atoms = len(species)
    positions = np.arange(count * atoms * 3, dtype=float).reshape(count, atoms, 3)
    labels = {"energy": np.arange(count, dtype=float), "forces": positions}
    return Block(place, np.array(species), positions, **{"labels": labels, **other})


@pytest.fixture
def dataset():
    cells = np.tile(10 * np.eye(3), (2, 1, 1))
    blocks = [
        block("a.h5:/water", [8, 1, 1], 2),
        block("a.h5:/box", [13], 2, cells=cells, groups=np.array(["one", "two"])),
        block("b.h5:/box", [13], 1, cells=cells[:1], groups=np.array(["two"])),
    ]
    return assemble("mixed", blocks, {"notes": []})


def test_blocks_become_flat_arrays(dataset) -> None:
    assert len(dataset) == 5
    assert dataset.species.tolist() == [8, 1, 1, 8, 1, 1, 13, 13, 13]
    assert dataset.offsets.tolist() == [0, 3, 6, 7, 8, 9]
    assert dataset.positions.shape == dataset.labels["reference"]["forces"].shape == (9, 3)
    assert dataset.labels["reference"]["energy"].tolist() == [0, 1, 0, 1, 0]
    assert dataset.periodic.all(1).tolist() == [False, False, True, True, True]
    assert (dataset.splits == UNUSED).all()


def test_groups_of_one_name_are_one_group_over_blocks(dataset) -> None:
    assert dataset.groups.tolist() == [0, 0, 1, 2, 2]


def test_a_place_leads_to_the_source(dataset) -> None:
    assert dataset.place(1) == "a.h5:/water: configuration 1"
    assert dataset.place(3) == "a.h5:/box: configuration 1 (3 of the dataset)"


def test_selecting_keeps_each_configuration_whole(dataset) -> None:
    chosen = dataset.select([4, 1, 1])
    assert chosen.sizes.tolist() == [1, 3, 3]
    assert chosen.species.tolist() == [13, 8, 1, 1, 8, 1, 1]
    assert np.array_equal(chosen.positions[1:4], dataset.positions[3:6])
    assert np.array_equal(chosen.positions[4:7], dataset.positions[3:6])
    assert chosen.labels["reference"]["energy"].tolist() == [0, 1, 1]
    assert chosen.groups.tolist() == [2, 0, 0]


def test_selecting_nothing_gives_an_empty_dataset(dataset) -> None:
    assert len(dataset.select([])) == 0


@pytest.fixture
def curved():
    """Three configurations of 2, 2 and 1 atoms; every entry of a Hessian says where it is."""

    def hessians(first, count, atoms):
        shape = (count, atoms, atoms, 3, 3)
        m, i, j, a, b = np.indices(shape)
        return 1e4 * (first + m) + 1e3 * i + 100.0 * j + 10 * a + b

    return assemble(
        "curved",
        [
            block("pairs", [1, 1], 2, labels={"hessian": hessians(0, 2, 2)}),
            block("single", [2], 1, labels={"hessian": hessians(2, 1, 1)}),
        ],
        {},
    )


def test_a_hessian_has_a_block_for_each_ordered_pair_of_atoms(curved) -> None:
    blocks = curved.labels["reference"]["hessian"]
    assert row_offsets("hessian", curved.offsets).tolist() == [0, 4, 8, 9]
    assert blocks.shape == (9, 3, 3)
    # Configuration 1, atoms 1 and 0, directions 2 and 1.
    assert blocks[4 + 1 * 2 + 0, 2, 1] == 1e4 + 1e3 + 0 + 20 + 1


def test_rows_are_those_of_configurations_atoms_or_pairs(curved) -> None:
    assert row_offsets("energy", curved.offsets).tolist() == [0, 1, 2, 3]
    assert row_offsets("forces", curved.offsets).tolist() == [0, 2, 4, 5]
    pairs = row_offsets("hessian", curved.offsets)
    assert chosen_rows(pairs, np.array([2, 0])).tolist() == [8, 0, 1, 2, 3]


def test_selecting_and_reading_keep_each_hessian_whole(curved, tmp_path) -> None:
    blocks = curved.labels["reference"]["hessian"]
    expected = np.concatenate([blocks[8:9], blocks[4:8]])
    assert np.array_equal(curved.select([2, 1]).labels["reference"]["hessian"], expected)
    write(curved, tmp_path / "curved.h5")
    with DatasetFile(tmp_path / "curved.h5") as file:
        assert np.array_equal(file.read([2, 1]).labels["reference"]["hessian"], expected)
        assert np.array_equal(file.read().labels["reference"]["hessian"], blocks)


def test_a_hessian_that_is_no_number_is_told_with_its_configuration(curved) -> None:
    curved.labels["reference"]["hessian"][5, 0, 0] = np.nan
    (fault,) = bad_labels(curved)
    assert "pairs: configuration 1: expected finite reference hessian in eV/Å^2" in fault


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ([], "expected configurations, found none"),
        ([block("f:/g", [], 1)], "f:/g: expected atoms, got an empty molecule"),
        ([block("f:/g", [119], 1)], "f:/g: expected atomic numbers from 1 to 118, got 119"),
        ([block("f:/g", [0], 1)], "f:/g: expected atomic numbers from 1 to 118, got 0"),
        (
            [block("f:/g", [1], 2, labels={"energy": np.zeros(3)})],
            r"f:/g: expected energy of shape \(2,\).*got \(3,\)",
        ),
        (
            [block("f:/g", [1, 1], 2, labels={"forces": np.zeros((2, 3, 3))})],
            r"f:/g: expected forces of shape \(2, 2, 3\).*got \(2, 3, 3\)",
        ),
        ([block("f:/g", [1], 2, cells=np.zeros((2, 3)))], "f:/g: expected cells of shape"),
        (
            [block("f:/g", [1], 1), block("f:/h", [1], 1, labels={"energy": np.zeros(1)})],
            "f:/h: expected the labels energy, forces as in f:/g, got energy",
        ),
    ],
)
def test_what_does_not_fit_is_refused(bad, message) -> None:
    with pytest.raises(InputError, match=message):
        assemble("bad", bad, {})
