"""Sums of errors: RMSE and MAE of more errors than fit into memory, and those of a test split."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mlipkd.datasets.dataset import TEST, Dataset, memory_batches
from mlipkd.datasets.file import DatasetFile
from mlipkd.errors import InputError
from mlipkd.evaluation.core.ensembles import Ensemble
from mlipkd.evaluation.core.rows import Row
from mlipkd.jobs.progress import progress

#: What is compared, where the dataset has it.
QUANTITIES = ("energy", "forces", "hessian")


@dataclass
class ErrorSum:
    """RMSE and MAE of all errors added so far."""

    squared: float = 0.0
    absolute: float = 0.0
    count: int = 0

    def add(self, errors: np.ndarray) -> None:
        """Add errors of any shape."""
        self.squared += float((errors**2).sum())
        self.absolute += float(np.abs(errors).sum())
        self.count += errors.size

    def __iadd__(self, other: "ErrorSum") -> "ErrorSum":
        """Add the errors of another sum."""
        self.squared += other.squared
        self.absolute += other.absolute
        self.count += other.count
        return self

    @property
    def rmse(self) -> float:
        """Root of the mean square."""
        return math.sqrt(self.squared / self.count)

    @property
    def mae(self) -> float:
        """Mean of the absolute values."""
        return self.absolute / self.count


def error_rows(
    ensemble: Ensemble,
    seed: int | str,
    quantity: str,
    errors: ErrorSum,
    units: Mapping[str, str],
    subset: str = "",
    scale: float = 1.0,
) -> list[Row]:
    """RMSE and MAE of a quantity (``forces``, …), divided by ``scale``; none without errors.

    Args:
        ensemble: whose errors they are.
        seed: of the member, or ``ensemble``.
        quantity: what the metrics' names begin with.
        errors: to state.
        units: by metric.
        subset: the part of what is tested.
        scale: the unit, in eV and Å.
    """
    if errors.count == 0:
        return []
    return [
        ensemble.row(seed, metric, value / scale, units[metric], subset)
        for metric, value in {
            f"{quantity}_rmse": errors.rmse,
            f"{quantity}_mae": errors.mae,
        }.items()
    ]


def whole_test_split(dataset: DatasetFile, ensembles: Sequence[Ensemble]) -> np.ndarray:
    """The test split of the ensembles' dataset: (test configurations,).

    Raises:
        InputError: it is empty, or a member belongs to another dataset.
    """
    test = np.flatnonzero(dataset.splits == TEST)  # (test configurations,)
    if len(test) == 0:
        raise InputError(
            f"{dataset.path}: expected configurations in the test split, got none; raise "
            "split.test and make the dataset again"
        )
    for ensemble in ensembles:
        if ensemble.dataset != dataset.name:
            raise InputError(
                f"{dataset.path}: expected members of dataset {dataset.name}, who have not seen "
                f"its test split, got {ensemble.family}/{ensemble.model} of {ensemble.dataset}; "
                "give that dataset"
            )
    return test


def error_sums(
    dataset: DatasetFile, chosen: np.ndarray, ensembles: Sequence[Ensemble]
) -> dict[tuple[int, int | str, str], ErrorSum]:
    """Errors of some configurations, by the ensemble's place, the seed and the quantity.

    Args:
        dataset: with reference labels.
        chosen: (chosen,), which configurations.
        ensembles: whose predictions to compare.
    """
    quantities = [q for q in QUANTITIES if q in dataset.labels["reference"]]
    sums: dict[tuple[int, int | str, str], ErrorSum] = defaultdict(ErrorSum)
    cuts = memory_batches(dataset.sizes[chosen])
    for batch in progress(cuts, len(cuts), "batches of configurations"):
        configurations = dataset.read(chosen[batch])
        for number, ensemble in enumerate(ensembles):
            for seed, predicted in ensemble.predictions(configurations, quantities):
                for subject, errors in differences(configurations, predicted):
                    sums[number, seed, subject].add(errors)
    return sums


def differences(
    dataset: Dataset, predicted: dict[str, np.ndarray]
) -> Iterator[tuple[str, np.ndarray]]:
    """Errors of every quantity predicted, where there are a prediction and a reference label."""
    for quantity, values in predicted.items():
        reference = dataset.labels["reference"][quantity]
        known = ~np.isnan(values - reference)
        errors = (values - reference)[known]
        yield quantity, errors
        if quantity == "energy":
            yield "energy_per_atom", errors / dataset.sizes[known]
