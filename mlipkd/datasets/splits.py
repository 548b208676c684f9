"""Splits: what is trained on, what steers training, and what no family of the campaign ever sees.

Configurations that are duplicates of each other, and those of one group if the user splits by
group, form a cluster; a cluster falls on one side of a split as a whole.
"""

import numpy as np

from mlipkd.config.split import Split
from mlipkd.datasets.dataset import TEST, TRAIN, UNUSED, VALIDATION, Dataset
from mlipkd.datasets.duplicates import duplicates, join_clusters
from mlipkd.datasets.file import DatasetFile, of_kinds
from mlipkd.errors import InputError


def clusters(dataset: Dataset, settings: Split) -> np.ndarray:
    """Clusters that no split may divide, as a number for each configuration: (configurations,)."""
    same = duplicates(dataset)
    return join_clusters(same, dataset.groups) if settings.by == "group" else same


def leaks(dataset: Dataset, settings: Split) -> list[str]:
    """Remarks on a split that puts similar configurations on different sides."""
    if not dataset.beads or settings.by == "group":
        return []
    return [
        "the split draws single frames, and frames near in time are alike: errors on the test "
        "split come out too low; split by group to keep runs of frames together"
    ]


def is_held_out(
    dataset: Dataset | DatasetFile, clusters: np.ndarray, settings: Split
) -> np.ndarray:
    """Whether the settings hold a configuration out, or one of its cluster: (configurations,) bool.

    Raises:
        InputError: the dataset has none of a kind that is to be held out.
    """
    return np.isin(clusters, clusters[of_kinds(dataset, settings.held_out)])


def split(clusters: np.ndarray, settings: Split, held_out: np.ndarray | None = None) -> np.ndarray:
    """The campaign's split: (configurations,) of TRAIN, VALIDATION, TEST, UNUSED.

    The test split depends on nothing but the clusters, its fraction, the seed and what is held
    out.

    Args:
        clusters: (configurations,), which no split may divide.
        settings: fractions, which are of what is not held out, and seed.
        held_out: (configurations,) bool, what is held out; nothing if left out.

    Raises:
        InputError: too few clusters for a test, a validation and a training split.
    """
    if held_out is not None and held_out.any():
        splits = np.full(len(clusters), TEST, np.uint8)
        splits[~held_out] = split(clusters[~held_out], settings)
        return splits
    rng = np.random.default_rng(settings.seed)
    splits = np.full(len(clusters), UNUSED, np.uint8)
    everything = np.ones(len(clusters), bool)
    splits[_drawn(rng, clusters, everything, settings.test, 2, settings)] = TEST
    return _train_and_validation(rng, splits, clusters, splits != TEST, settings)


def per_seed(
    splits: np.ndarray,
    clusters: np.ndarray,
    settings: Split,
    seed: int,
    held_out: np.ndarray | None = None,
) -> np.ndarray:
    """The split of one seed: the same test split, training and validation drawn anew.

    They are drawn from what the campaign's split trains and validates on; what it leaves unused
    stays unused. Arguments are those of ``split``.
    """
    if held_out is not None and held_out.any():
        new = splits.copy()
        new[~held_out] = per_seed(splits[~held_out], clusters[~held_out], settings, seed)
        return new
    rng = np.random.default_rng([settings.seed, seed])
    pool = (splits == TRAIN) | (splits == VALIDATION)
    return _train_and_validation(rng, splits, clusters, pool, settings)


def _train_and_validation(
    rng: np.random.Generator,
    splits: np.ndarray,
    clusters: np.ndarray,
    pool: np.ndarray,
    settings: Split,
) -> np.ndarray:
    """The splits with the pool divided into training and validation, and the rest as it is."""
    validation = _drawn(rng, clusters, pool, settings.validation, 1, settings)
    training = np.flatnonzero(pool & ~validation)
    new = splits.copy()
    new[pool] = UNUSED
    new[validation] = VALIDATION
    new[rng.permutation(training)[: settings.train]] = TRAIN
    return new


def _drawn(
    rng: np.random.Generator,
    clusters: np.ndarray,
    pool: np.ndarray,
    fraction: float,
    left: int,
    settings: Split,
) -> np.ndarray:
    """Whole clusters of the pool, together near a fraction of all: (configurations,) bool.

    In random order, each is taken if it brings them nearer to the fraction, which too large a one
    does not; if none does, the smallest is taken. At least ``left`` clusters stay in the pool.
    """
    numbers, sizes = np.unique(clusters[pool], return_counts=True)
    if len(numbers) <= left:
        raise _too_few(clusters, settings)
    order = rng.permutation(len(numbers))
    chosen: list[int] = []
    filled, target = 0, fraction * len(clusters)
    for k in order:
        if len(chosen) + left == len(numbers):
            break
        if abs(filled + sizes[k] - target) < abs(filled - target):
            chosen.append(k)
            filled += sizes[k]
    chosen = chosen or [order[sizes[order].argmin()]]
    return pool & np.isin(clusters, numbers[chosen])


def _too_few(clusters: np.ndarray, settings: Split) -> InputError:
    remedy = "split by configuration" if settings.by == "group" else "give more data"
    return InputError(
        "split: expected at least three clusters of configurations that belong together, one each "
        f"for test, validation and training; got {len(np.unique(clusters))} in {len(clusters)} "
        f"configurations; {remedy}"
    )
