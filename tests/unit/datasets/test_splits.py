"""Splits: whole clusters, one test split, and seeds that share it."""

from dataclasses import replace

import numpy as np
import pytest

from mlipkd.config.dataset import Split
from mlipkd.datasets.dataset import TEST, TRAIN, UNUSED, VALIDATION
from mlipkd.datasets.splits import clusters, per_seed, split
from mlipkd.errors import InputError
from mlipkd.testing import dataset_of, random_molecule

CLUSTERS = np.repeat(np.arange(60), np.arange(60) % 5 + 1)  # 180 configurations, 60 clusters


def counts(splits):
    return [int((splits == part).sum()) for part in (TRAIN, VALIDATION, TEST, UNUSED)]


def torn(splits, clusters) -> list[int]:
    """Clusters with configurations on several sides, apart from what is unused."""
    sides = [set(splits[clusters == c].tolist()) - {UNUSED} for c in np.unique(clusters)]
    return [c for c, side in enumerate(sides) if len(side) > 1]


def test_single_configurations_are_split_exactly() -> None:
    assert counts(split(np.arange(1000), Split(test=0.2, validation=0.1))) == [700, 100, 200, 0]


def test_clusters_stay_whole_and_fractions_near() -> None:
    splits = split(CLUSTERS, Split(test=0.3, validation=0.2))
    assert torn(splits, CLUSTERS) == []
    train, validation, test, unused = counts(splits)
    assert abs(test - 54) <= 2
    assert abs(validation - 36) <= 2
    assert (train + validation + test, unused) == (180, 0)


def test_training_is_capped_and_the_rest_unused() -> None:
    assert counts(split(np.arange(100), Split(train=50))) == [50, 10, 20, 20]


def test_the_test_split_depends_on_its_fraction_and_seed_alone() -> None:
    settings = [Split(), Split(validation=0.3), Split(train=7), Split(seed=1)]
    one, two, three, four = (split(CLUSTERS, s) == TEST for s in settings)
    assert np.array_equal(one, two)
    assert np.array_equal(one, three)
    assert not np.array_equal(one, four)


@pytest.mark.parametrize("cap", [None, 60])
def test_seeds_share_the_test_split_and_nothing_else(cap) -> None:
    settings = Split(train=cap)
    splits = split(CLUSTERS, settings)
    drawn = [per_seed(splits, CLUSTERS, settings, seed) for seed in range(4)]
    for one in drawn:
        assert np.array_equal(one == TEST, splits == TEST)
        assert set(np.flatnonzero(splits == UNUSED)) <= set(np.flatnonzero(one == UNUSED))
        assert torn(one, CLUSTERS) == []
        assert counts(one)[0] > 0
        assert abs(counts(one)[1] - 18) <= 3
    assert len({one.tobytes() for one in drawn}) == 4
    assert np.array_equal(drawn[2], per_seed(splits, CLUSTERS, settings, 2))


def test_duplicates_and_groups_make_clusters() -> None:
    rng = np.random.default_rng(0)
    configurations = [random_molecule(rng, 5) for _ in range(6)]
    configurations.append(configurations[0])
    dataset = replace(dataset_of(configurations), groups=np.array([0, 0, 1, 1, 2, 2, 3]))
    alone = clusters(dataset, Split(by="configuration"))
    assert alone[0] == alone[6]
    assert len(np.unique(alone)) == 6
    grouped = clusters(dataset, Split(by="group"))
    assert grouped[0] == grouped[1] == grouped[6]
    assert len(np.unique(grouped)) == 3


@pytest.mark.parametrize("number", [1, 2])
def test_too_few_clusters_are_refused(number) -> None:
    with pytest.raises(InputError, match=rf"got {number} in 10 .* split by configuration"):
        split(np.arange(10) % number, Split(by="group"))


def test_three_clusters_are_enough() -> None:
    assert counts(split(np.arange(9) % 3, Split(by="group"))) == [3, 3, 3, 0]
