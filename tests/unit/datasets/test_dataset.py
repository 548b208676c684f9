"""Cutting flat arrays into configurations and back."""

import numpy as np
import pytest

from mlipkd.datasets.blocks import Block, assemble
from mlipkd.datasets.dataset import UNUSED
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


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ([], "wanted configurations, found none"),
        ([block("f:/g", [], 1)], "f:/g: wanted atoms, got an empty molecule"),
        ([block("f:/g", [119], 1)], "f:/g: wanted atomic numbers from 1 to 118, got 119"),
        ([block("f:/g", [0], 1)], "f:/g: wanted atomic numbers from 1 to 118, got 0"),
        (
            [block("f:/g", [1], 2, labels={"energy": np.zeros(3)})],
            r"f:/g: wanted energy of shape \(2,\).*got \(3,\)",
        ),
        (
            [block("f:/g", [1, 1], 2, labels={"forces": np.zeros((2, 3, 3))})],
            r"f:/g: wanted forces of shape \(2, 2, 3\).*got \(2, 3, 3\)",
        ),
        ([block("f:/g", [1], 2, cells=np.zeros((2, 3)))], "f:/g: wanted cells of shape"),
        (
            [block("f:/g", [1], 1), block("f:/h", [1], 1, labels={"energy": np.zeros(1)})],
            "f:/h: wanted the labels energy, forces as in f:/g, got energy",
        ),
    ],
)
def test_what_does_not_fit_is_refused(bad, message) -> None:
    with pytest.raises(InputError, match=message):
        assemble("bad", bad, {})
