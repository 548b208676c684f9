"""Kinds: what configurations are, where their source tells them apart (``ts``, ``near``, …)."""

from collections.abc import Collection

import numpy as np

from mlipkd.datasets.dataset import Dataset
from mlipkd.datasets.file import DatasetFile
from mlipkd.errors import InputError


def kinds_of(dataset: Dataset | DatasetFile) -> np.ndarray:
    """The kind of each configuration of a whole dataset, "" if none is told: (configurations,)."""
    runs = dataset.provenance.get("kinds") or [(0, "")]
    starts = [first for first, _ in runs]
    return np.repeat([kind for _, kind in runs], np.diff([*starts, len(dataset)]))


def of_kinds(dataset: Dataset | DatasetFile, wanted: Collection[str]) -> np.ndarray:
    """Whether each configuration of a whole dataset is of one of some kinds: (configurations,).

    Raises:
        InputError: the dataset has none of a kind.
    """
    kinds = kinds_of(dataset)
    known = sorted(set(kinds.tolist()) - {""})
    if unknown := sorted(set(wanted) - set(known)):
        raise InputError(
            f"{dataset.name}: wanted configurations of the kind {unknown[0]!r} to hold out, but "
            f"its kinds are {', '.join(known) or 'not told apart'}; change split.held_out"
        )
    return np.isin(kinds, list(wanted))
