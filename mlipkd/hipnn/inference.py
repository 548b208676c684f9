"""Inference: what models whose weights do not change say of a batch, by the fastest way."""

from typing import Protocol

import torch
from torch import Tensor

from mlipkd.hipnn.analytic import Analytic
from mlipkd.hipnn.batch import Batch
from mlipkd.hipnn.derivatives import pair_gradient, pair_vectors
from mlipkd.hipnn.network import HIPNN


class Evaluator(Protocol):
    """Evaluates all members of an ensemble."""

    def evaluate(self, batch: Batch, derivatives: bool) -> tuple[Tensor, Tensor | None]:
        """Atomic energies (members, atoms) float64, eV, and the pair gradient.

        The pair gradient is ∂E/∂d_ij, (members, atoms, neighbours, 3), eV/Å; none if it is not
        asked for.
        """


class Automatic:
    """Derivatives by PyTorch, with whatever engine the model has."""

    def __init__(self, model: HIPNN) -> None:
        self.model = model

    def evaluate(self, batch: Batch, derivatives: bool) -> tuple[Tensor, Tensor | None]:
        """See ``Evaluator``."""
        vectors = pair_vectors(self.model, batch)
        with torch.set_grad_enabled(derivatives):
            energies = self.model(batch, vectors).sum(2)  # (members, atoms)
            gradient = pair_gradient(energies, vectors, training=False) if derivatives else None
        return energies.detach(), gradient


def evaluator(model: HIPNN) -> Evaluator:
    """The evaluator for a model's engine."""
    return Analytic(model) if model.engine == "cpu" else Automatic(model)
