"""Splits: whole clusters, one test split, and seeds that share it."""

from dataclasses import replace

import numpy as np
import pytest

from mlipkd.config.split import Split
from mlipkd.datasets.dataset import TEST, TRAIN, UNUSED, VALIDATION
from mlipkd.datasets.splits import clusters, is_held_out, per_seed, split
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


@pytest.mark.parametrize(
    "sizes",
    [[1000, 50, 50, 50, 50], [600, *[1] * 900], [2000, *[20] * 30]],
    ids=["one long", "one of many", "one of some"],
)
@pytest.mark.parametrize("seed", range(6))
def test_clusters_that_are_too_large_are_trained_on(sizes, seed) -> None:
    """Neither test nor validation is larger than meant by more than the smallest cluster."""
    unequal = np.repeat(np.arange(len(sizes)), sizes)
    settings = Split(test=0.2, validation=0.1, seed=seed)
    campaign = split(unequal, settings)
    for splits in (campaign, per_seed(campaign, unequal, settings, seed)):
        train, validation, test, _ = counts(splits)
        assert torn(splits, unequal) == []
        assert 0 < test <= 0.2 * len(unequal) + min(sizes)
        assert 0 < validation <= 0.1 * len(unequal) + min(sizes)
        assert train >= len(unequal) / 2


def prefix(rng, clusters, pool, fraction):
    """The clusters that come first in a random order, as many as come nearest to a fraction."""
    numbers, sizes = np.unique(clusters[pool], return_counts=True)
    order = rng.permutation(len(numbers))
    filled = np.cumsum(sizes[order])
    count = 1 + np.argmin(np.abs(filled[:-1] - fraction * len(clusters)))
    return pool & np.isin(clusters, numbers[order[:count]])


@pytest.mark.parametrize(("number", "size"), [(1000, 1), (151, 8), (16, 16), (20, 23), (3, 3)])
@pytest.mark.parametrize("fractions", [(0.2, 0.1), (0.25, 0.15), (0.01, 0.3)])
def test_of_equal_clusters_the_first_in_a_random_order_are_drawn(number, size, fractions) -> None:
    """Published tables rest on these draws."""
    equal = np.random.default_rng(1).permutation(np.repeat(np.arange(number), size))
    test, validation = fractions
    settings = Split(test=test, validation=validation, seed=3)
    rng = np.random.default_rng(3)
    tested = prefix(rng, equal, np.ones(len(equal), bool), test)
    steering = prefix(rng, equal, ~tested, validation)
    splits = split(equal, settings)
    assert np.array_equal(splits == TEST, tested)
    assert np.array_equal(splits == VALIDATION, steering)
    for seed in range(3):
        steering = prefix(np.random.default_rng([3, seed]), equal, ~tested, validation)
        drawn = per_seed(splits, equal, settings, seed)
        assert np.array_equal(drawn == TEST, tested)
        assert np.array_equal(drawn == VALIDATION, steering)


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
    by_duplicates = clusters(dataset, Split(by="configuration"))
    assert by_duplicates[0] == by_duplicates[6]
    assert len(np.unique(by_duplicates)) == 6
    grouped = clusters(dataset, Split(by="group"))
    assert grouped[0] == grouped[1] == grouped[6]
    assert len(np.unique(grouped)) == 3


@pytest.mark.parametrize("number", [1, 2])
def test_too_few_clusters_are_refused(number) -> None:
    with pytest.raises(InputError, match=rf"got {number} in 10 .* split by configuration"):
        split(np.arange(10) % number, Split(by="group"))


def test_three_clusters_are_enough() -> None:
    assert counts(split(np.arange(9) % 3, Split(by="group"))) == [3, 3, 3, 0]


@pytest.fixture
def told():
    """Ten configurations, of which the last four are far; the first is a copy of one of these."""
    rng = np.random.default_rng(0)
    molecules = [random_molecule(rng, 4) for _ in range(10)]
    molecules[0] = molecules[7]
    dataset = dataset_of(molecules, energy=np.zeros(10))
    return replace(dataset, provenance={**dataset.provenance, "kinds": [(0, "near"), (6, "far")]})


def test_what_is_held_out_is_tested_on_alone_and_so_are_its_copies(told) -> None:
    settings = Split(test=0.2, validation=0.2, held_out=["far"])
    numbers = clusters(told, settings)
    held_out = is_held_out(told, numbers, settings)
    assert np.flatnonzero(held_out).tolist() == [0, 6, 7, 8, 9]
    splits = split(numbers, settings, held_out)
    assert (splits[held_out] == TEST).all()
    assert counts(splits[~held_out]) == [3, 1, 1, 0]  # fractions are of these five
    for seed in range(4):
        drawn = per_seed(splits, numbers, settings, seed, held_out)
        assert np.array_equal(drawn == TEST, splits == TEST)
        assert counts(drawn) == counts(splits)


def test_kinds_that_are_not_there_cannot_be_held_out(told) -> None:
    settings = Split(held_out=["ts"])
    with pytest.raises(InputError, match="kind 'ts' to hold out, but its kinds are far, near"):
        is_held_out(told, clusters(told, settings), settings)
