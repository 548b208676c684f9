"""Errors: energies and forces on the test split, which no member of any family has seen."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from mlipkd.datasets.dataset import TEST, Dataset
from mlipkd.datasets.file import DatasetFile
from mlipkd.datasets.slabs import slabs
from mlipkd.errors import InputError
from mlipkd.evaluation.ensembles import Ensemble
from mlipkd.evaluation.error_sum import ErrorSum
from mlipkd.evaluation.rows import Row
from mlipkd.progress import progress


def evaluate_errors(dataset: DatasetFile, ensembles: Sequence[Ensemble]) -> list[Row]:
    """RMSE and MAE of energy, energy per atom and forces, of members and of ensemble means.

    Reference labels that are missing are left out, and so are configurations on which a calculator
    failed; a quantity without any yields no rows.

    Raises:
        InputError: the test split is empty, or a member belongs to another dataset.
    """
    test = np.flatnonzero(dataset.splits == TEST)  # (test configurations,)
    if len(test) == 0:
        raise InputError(
            f"{dataset.path}: wanted configurations in the test split, got none; raise split.test "
            "and make the dataset again"
        )
    for ensemble in ensembles:
        if ensemble.dataset != dataset.name:
            raise InputError(
                f"{dataset.path}: wanted members of dataset {dataset.name}, who have not seen its "
                f"test split, got {ensemble.family}/{ensemble.model} of {ensemble.dataset}; give "
                "that dataset"
            )
    quantities = [q for q in ("energy", "forces") if q in dataset.labels["reference"]]
    sums: dict[tuple[int, int | str, str], ErrorSum] = defaultdict(ErrorSum)
    cuts = slabs(dataset.sizes[test])
    for slab in progress(cuts, len(cuts), "slabs of the test split"):
        configurations = dataset.read(test[slab])
        for number, ensemble in enumerate(ensembles):
            for seed, predicted in ensemble.predictions(configurations, quantities):
                for subject, errors in differences(configurations, predicted):
                    sums[number, seed, subject].add(errors)
    return [
        row
        for (number, seed, subject), errors in sums.items()
        for row in ensembles[number].rows("errors", seed, subject, errors)
    ]


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
