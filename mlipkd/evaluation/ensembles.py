"""Ensembles: the members of one family and model, and what they and their mean predict."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from mlipkd import artefacts
from mlipkd.datasets.dataset import Dataset
from mlipkd.errors import InputError
from mlipkd.evaluation.error_sum import ErrorSum
from mlipkd.evaluation.rows import ENSEMBLE, UNITS, Row, Source, made_by
from mlipkd.hipnn.file import Potential, load_potential
from mlipkd.hipnn.network import HIPNN
from mlipkd.hipnn.prediction import predict_members


@dataclass
class Ensemble:
    """The members of one family and model."""

    dataset: str
    family: str
    model: str
    species: list[int]
    """Atomic numbers that the members know."""
    members: dict[int, Potential] = field(default_factory=dict)
    """Potentials by seed."""

    def predictions(
        self, dataset: Dataset, quantities: Sequence[str]
    ) -> Iterator[tuple[int | str, dict[str, np.ndarray]]]:
        """What each member predicts, by seed, and then, of several, what their mean does."""
        predicted = predict_together(list(self.members.values()), dataset, quantities)
        for number, seed in enumerate(self.members):
            yield seed, {quantity: predicted[quantity][number] for quantity in quantities}
        if len(self.members) > 1:
            yield ENSEMBLE, {quantity: predicted[quantity].mean(0) for quantity in quantities}

    def rows(
        self, evaluation: str, seed: int | str, subject: str, errors: ErrorSum, scale: float = 1.0
    ) -> list[Row]:
        """RMSE and MAE of ``subject`` (``forces``, …) divided by ``scale``; none without errors."""
        if errors.count == 0:
            return []
        return [
            Row(
                self.dataset, self.family, self.model, seed, f"{subject}_{name}", value / scale,
                UNITS[evaluation][f"{subject.rpartition('/')[2]}_{name}"],
            )
            for name, value in {"rmse": errors.rmse, "mae": errors.mae}.items()
        ]  # fmt: skip


def predict_together(
    potentials: Sequence[Potential], dataset: Dataset, quantities: Sequence[str]
) -> dict[str, np.ndarray]:
    """What each member predicts, in one pass: arrays with a leading dimension for the members."""
    ensemble = HIPNN.ensemble([potential.model for potential in potentials])
    return predict_members(ensemble, dataset, quantities)


def load_ensembles(
    paths: Sequence[Path], device: torch.device
) -> tuple[list[Ensemble], list[Source]]:
    """Load model files and put those of one family and model together.

    Raises:
        InputError: a file is damaged, or a member is given twice.
    """
    ensembles: dict[tuple[str, str, str], Ensemble] = {}
    sources = []
    for path in paths:
        potential = load_potential(path, device)
        own = potential.metadata
        key = own["dataset"], own["family"], own["model"]
        ensemble = ensembles.setdefault(key, Ensemble(*key, own["species"]))
        if own["seed"] in ensemble.members:
            raise InputError(
                f"{path}: wanted each member once, got seed {own['seed']} of {own['family']}/"
                f"{own['model']} twice; leave one of the two out"
            )
        ensemble.members[own["seed"]] = potential
        sources.append(source_of(path, potential))
    return list(ensembles.values()), sources


def source_of(model: Path, potential: Potential) -> Source:
    """A model file as something that rows stand on."""
    return Source(str(model), artefacts.verify(model), [made_by(potential.metadata)])
