"""Errors: energies, forces and Hessians on the test split, which no member of a family has seen."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from mlipkd.datasets.dataset import TEST, Dataset, slabs
from mlipkd.datasets.file import DatasetFile
from mlipkd.errors import InputError
from mlipkd.evaluation.core.ensembles import Ensemble
from mlipkd.evaluation.core.error_sums import ErrorSum
from mlipkd.evaluation.core.rows import Row
from mlipkd.jobs.progress import progress

#: What is compared, where the dataset has it.
QUANTITIES = ("energy", "forces", "hessian")


def evaluate_errors(dataset: DatasetFile, ensembles: Sequence[Ensemble]) -> list[Row]:
    """RMSE and MAE of energy, energy per atom, forces and Hessians, of members and ensemble means.

    Reference labels that are missing are left out, and so are configurations on which a calculator
    failed; a quantity without any yields no rows.

    Raises:
        InputError: the test split is empty, or a member belongs to another dataset.
    """
    sums = error_sums(dataset, whole_test_split(dataset, ensembles), ensembles)
    return [
        row
        for (number, seed, subject), errors in sums.items()
        for row in ensembles[number].rows("errors", seed, subject, errors)
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
        ensembles: whom to ask.
    """
    quantities = [q for q in QUANTITIES if q in dataset.labels["reference"]]
    sums: dict[tuple[int, int | str, str], ErrorSum] = defaultdict(ErrorSum)
    cuts = slabs(dataset.sizes[chosen])
    for slab in progress(cuts, len(cuts), "slabs of configurations"):
        configurations = dataset.read(chosen[slab])
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
