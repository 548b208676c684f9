"""The member: a calculator in place of a model file."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mlipkd.calculators.labelling import labels_of, quantities_of
from mlipkd.calculators.load import load_calculator, versions
from mlipkd.config.functions import CALCULATOR, SEED
from mlipkd.config.settings import CalculatorSettings
from mlipkd.datasets.dataset import Dataset
from mlipkd.jobs import artefacts, provenance


def is_calculator(path: Path) -> bool:
    """Whether a member's file is the settings of a calculator, and not a model file."""
    return Path(path).suffix in (".yaml", ".yml")


class CalculatorMember:
    """The only member of a calculator's family: a calculator in place of a model file."""

    def __init__(self, path: Path) -> None:
        """Read a settings file and make its calculator.

        Raises:
            InputError: faulty settings, or a calculator that cannot be made.
        """
        settings = CalculatorSettings.read(path)
        self.calculator = load_calculator(str(path), settings.calculator)
        self.quantities = quantities_of(self.calculator)
        self.sha256 = artefacts.sha256(path)
        self.metadata = provenance.record(
            dataset=settings.dataset,
            dataset_sha256=None,  # it was not trained on any
            family=settings.family,
            model=CALCULATOR,
            seed=SEED,
            calculator=settings.calculator.model_dump(mode="json"),
            packages=versions(self.calculator),
        )

    def predict(
        self, dataset: Dataset, quantities: Sequence[str]
    ) -> tuple[dict[str, np.ndarray], dict[int, str]]:
        """Labels of all configurations, and the reasons of failures: see ``labels_of``."""
        return labels_of(self.calculator, dataset, quantities)
