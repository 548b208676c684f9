"""Members that predict what they are told to."""

import numpy as np
import pytest

from mlipkd.evaluation.core.ensembles import CalculatorEnsemble, Ensemble


@pytest.fixture
def ensemble_of(monkeypatch):
    """A function that makes an ensemble of members, each a function from dataset to predictions."""
    monkeypatch.setattr(
        "mlipkd.evaluation.core.ensembles.predict_together",
        lambda members, dataset, quantities: {
            q: np.stack([member(dataset)[q] for member in members]) for q in quantities
        },
    )

    def made(*members, family: str = "teachers", dataset: str = "test") -> Ensemble:
        return Ensemble(dataset, family, "m", [1, 6, 8], dict(enumerate(members)))

    return made


@pytest.fixture
def calculator_of():
    """A function that makes a calculator of a function from dataset to predictions; it fails where
    these are NaN."""

    class Calculator:
        def __init__(self, predictions) -> None:
            self.predictions, self.quantities = predictions, ["energy", "forces", "hessian"]

        def predict(self, dataset, quantities):
            found = self.predictions(dataset)
            failed = dict.fromkeys(np.flatnonzero(np.isnan(found["energy"])).tolist(), "no reason")
            return {quantity: found[quantity] for quantity in quantities}, failed

    def made(predictions) -> CalculatorEnsemble:
        return CalculatorEnsemble(
            "test", "oracle", "calculator", species=None, calculator=Calculator(predictions)
        )

    return made
