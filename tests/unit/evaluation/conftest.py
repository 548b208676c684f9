"""Members that predict what they are told to."""

import numpy as np
import pytest

from mlipkd.evaluation.ensembles import Ensemble


@pytest.fixture
def ensemble_of(monkeypatch):
    """A function that makes an ensemble of members, each a function from dataset to predictions."""
    monkeypatch.setattr(
        "mlipkd.evaluation.ensembles.predict_together",
        lambda members, dataset, quantities: {
            q: np.stack([member(dataset)[q] for member in members]) for q in quantities
        },
    )

    def made(*members, family: str = "teachers", dataset: str = "test") -> Ensemble:
        return Ensemble(dataset, family, "m", [1, 6, 8], dict(enumerate(members)))

    return made
