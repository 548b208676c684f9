"""Several datasets as one."""

from contextlib import chdir
from dataclasses import replace

import numpy as np
import pytest

from mlipkd.datasets.dataset import TEST, TRAIN, UNUSED, VALIDATION, Bead, Dataset
from mlipkd.datasets.file import write
from mlipkd.errors import InputError
from mlipkd.readers.pooled import Pooled


def _state(name: str, edge: float) -> Dataset:
    """Three frames of two beads in a cube."""
    rng = np.random.default_rng(round(edge))
    return Dataset(
        name=name,
        species=np.array([1, 2] * 3, np.uint8),
        positions=rng.uniform(0, edge, (6, 3)),
        offsets=np.array([0, 2, 4, 6]),
        cells=np.broadcast_to(edge * np.eye(3), (3, 3, 3)).copy(),
        periodic=np.ones((3, 3), bool),
        groups=np.array([0, 0, 1]),
        splits=np.array([TRAIN, VALIDATION, TEST], np.uint8),
        labels={"reference": {"forces": rng.normal(size=(6, 3))}},
        provenance={},
        beads=(Bead("a", 10.0), Bead("b", 20.0)),
    )


@pytest.fixture
def states():
    return _state("cold", 20.0), _state("hot", 25.0)


def _pool(states, folder) -> Dataset:
    source = Pooled(reader="pooled", datasets=[state.name for state in states])
    with chdir(folder):
        for state, path in zip(states, source.paths, strict=True):
            write(state, path)
        return source.read("both")


def test_configurations_stay_as_they_are_and_in_their_splits(states, tmp_path) -> None:
    pooled = _pool(states, tmp_path)
    cold, hot = states
    assert pooled.name == "both" and pooled.beads == cold.beads
    np.testing.assert_array_equal(pooled.splits, [*cold.splits, *hot.splits])
    np.testing.assert_array_equal(pooled.cells, [*cold.cells, *hot.cells])
    for one, first in ((cold, 0), (hot, 3)):
        again = pooled.select(range(first, first + 3))
        np.testing.assert_array_equal(again.positions, one.positions)
        for label, values in one.labels["reference"].items():
            np.testing.assert_array_equal(again.labels["reference"][label], values)
    assert pooled.place(4).startswith("results/hot/dataset.h5")


def test_groups_of_different_datasets_stay_apart(states, tmp_path) -> None:
    pooled = _pool(states, tmp_path)
    assert pooled.groups.tolist() == [0, 0, 1, 2, 2, 3]
    assert len(set(pooled.clusters)) == 6


def test_what_one_dataset_tests_on_is_trained_on_in_none(states, tmp_path) -> None:
    cold, hot = states
    positions = hot.positions.copy()
    positions[:2] = cold.positions[4:]  # trained on there, tested on here
    pooled = _pool((cold, replace(hot, positions=positions)), tmp_path)
    assert pooled.splits.tolist() == [TRAIN, VALIDATION, TEST, UNUSED, VALIDATION, TEST]
    assert pooled.clusters[2] == pooled.clusters[3]
    assert len(set(pooled.clusters)) == 5
    (note,) = pooled.provenance["notes"]
    assert note.startswith("1 configurations are left unused")


def test_without_copies_nothing_is_joined(states, tmp_path) -> None:
    pooled = _pool(states, tmp_path)
    assert pooled.clusters.tolist() == list(range(6))
    assert pooled.provenance["notes"] == []


def test_strangers_are_refused(states, tmp_path) -> None:
    cold, hot = states
    other = replace(hot, beads=(Bead("b", 20.0), Bead("a", 10.0)))
    message = r"hot/dataset\.h5: expected the beads of .*cold/dataset\.h5"
    with pytest.raises(InputError, match=message):
        _pool((cold, other), tmp_path)
    other = replace(hot, labels={"reference": {"energy": np.zeros(3)}})
    with pytest.raises(InputError, match=r"expected the reference labels of"):
        _pool((cold, other), tmp_path)
