"""The loss: Σ_terms w · Err(prediction, label) + w_L2 Σ|W|² + w_R ⟨R_i⟩, with Err = RMSE + MAE.

Err of Hessians and of their products is the mean square: of products with random vectors it has
the same mean as of the Hessians themselves (``training/labels.py``), which a root has not.

Err is taken over a mini-batch (docs/conventions.md; Matin et al., Digital Discovery 2025, Eq. 3).
The gradient of the term in w_L2, 2 w_L2 W, is what Adam calls weight decay; it is left to it.

Labels may count differently (``training/labels.py``): the means in RMSE and MAE are then weighted.

Each member of an ensemble has a separate loss, over the configurations that it learns from. The
gradient of the sum of their losses with respect to one member's weights is that of its loss.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import torch

from mlipkd.config.recipe import LossTerm
from mlipkd.hipnn.hessian import multiply
from mlipkd.hipnn.interaction import Interaction
from mlipkd.hipnn.network import HIPNN, hierarchicality
from mlipkd.hipnn.prediction import Prediction
from mlipkd.training.data import Microbatch


@dataclass
class Residuals:
    """Prediction - label of one term, of each member."""

    values: torch.Tensor
    """(members, values), zero where there is no label or the member does not learn from it."""
    weights: torch.Tensor
    """(members or 1, values), how much each counts; zero likewise."""
    mean_square: bool = False
    """Whether Err is the mean square, in place of RMSE + MAE."""

    @classmethod
    def of(
        cls,
        term: LossTerm,
        predicted: torch.Tensor,
        label: torch.Tensor,
        mask: torch.Tensor | None,
        weights: torch.Tensor | None = None,
    ) -> Self:
        """The residuals of one term.

        Args:
            term: of the loss.
            predicted: (members, rows, …).
            label: (rows, …), NaN where there is none.
            mask: (members, rows) bool, which rows each member learns from; all if left out.
            weights: (rows,), how much each counts; all count one if left out.
        """
        counted = torch.isfinite(label)[None]  # (1, rows, …)
        row = [1] * (label.ndim - 1)
        if mask is not None:
            counted = counted & mask.view(*mask.shape, *row)
        difference = torch.where(counted, predicted - label, 0).flatten(1)
        if weights is not None:
            weights = torch.where(counted, weights.view(-1, *row), 0).to(difference.dtype)
        else:
            weights = counted.to(difference.dtype)
        return cls(difference, weights.flatten(1), term.compared.curvature)

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Those of several microbatches as those of the mini-batch."""
        if len(parts) == 1:
            return parts[0]
        values = torch.cat([part.values for part in parts], 1)
        weights = torch.cat([part.weights.expand(len(part.values), -1) for part in parts], 1)
        return cls(values, weights, parts[0].mean_square)

    def errors(self) -> torch.Tensor:
        """Err of each member: (members,); zero where nothing is labelled."""
        total = self.weights.sum(1)  # (members or 1,)
        total = torch.where(total > 0, total, 1)
        if self.mean_square:
            return (self.values.square() * self.weights).sum(1) / total
        # The norm, unlike the root of a mean, has a gradient (zero) where all residuals vanish.
        rmse = torch.linalg.vector_norm(self.values * self.weights.sqrt(), dim=1) / total.sqrt()
        return rmse + (self.values.abs() * self.weights).sum(1) / total


@dataclass
class Errors:
    """RMSE and MAE of one term over many batches, of each member: sums (members,), float64."""

    squared: torch.Tensor
    absolute: torch.Tensor
    count: torch.Tensor

    @classmethod
    def none(cls, members: int, device: torch.device | str = "cpu") -> Self:
        """Those of no batch."""
        return cls(*torch.zeros(3, members, dtype=torch.float64, device=device))

    def add(self, residuals: Residuals) -> None:
        """Add those of a batch."""
        values, weights = residuals.values.detach().double(), residuals.weights.double()
        self.squared = self.squared + (values.square() * weights).sum(1)
        self.absolute = self.absolute + (values.abs() * weights).sum(1)
        self.count = self.count + weights.sum(1).expand(len(values))

    def of_members(self) -> list[dict[str, float]]:
        """``rmse`` and ``mae`` of each member."""
        rmse, mae = (self.squared / self.count).sqrt(), self.absolute / self.count
        pairs = zip(rmse.tolist(), mae.tolist(), strict=True)
        return [{"rmse": root, "mae": mean} for root, mean in pairs]


def err(term: LossTerm, errors: Mapping[str, float]) -> float:
    """Err of a term, from one member's ``rmse`` and ``mae``."""
    return errors["rmse"] ** 2 if term.compared.curvature else errors["rmse"] + errors["mae"]


def residuals(
    model: HIPNN, microbatch: Microbatch, terms: Sequence[LossTerm], training: bool
) -> tuple[list[Residuals], torch.Tensor]:
    """The residuals of each term, and E_iⁿ (members, atoms, N_int + 1) without any repulsion.

    Args:
        model: the members.
        microbatch: configurations and labels.
        terms: of the loss.
        training: keep the graph, to differentiate with respect to the weights.
    """
    batch = microbatch.batch
    prediction = Prediction(model, batch, {term.quantity for term in terms}, training)
    of_terms = []
    for term in terms:
        labels = microbatch.labels[term.name]
        values, weights = labels.values, labels.weights
        if term.quantity == "hvp":
            assert labels.probes is not None
            values = multiply(labels.values, labels.probes, batch)
            # One component stands for a row of the Hessian, as long as there are coordinates.
            weights = 3 * batch.sizes[batch.systems]  # (atoms,)
            predicted = prediction.hvp(labels.probes)
        else:
            predicted = getattr(prediction, term.quantity)()
        mask = microbatch.rows_mask(term.compared.atom_axes)
        of_terms.append(Residuals.of(term, predicted, values, mask, weights))
    orders = prediction.orders
    if model.repulsion is not None:
        # The repulsion is no order of the expansion: R would let it decide what the network learns.
        orders = torch.cat([model.E0[:, batch.elements, None], orders[..., 1:]], 2)
    return of_terms, orders


def loss(
    hierarchicality_weight: float,
    weighted: Sequence[tuple[float, Residuals]],
    orders: torch.Tensor,
    atoms_mask: torch.Tensor | None = None,
) -> torch.Tensor:
    """The loss of one mini-batch apart from w_L2, of each member: (members,).

    Args:
        hierarchicality_weight: w_R.
        weighted: weight and residuals of each term.
        orders: E_iⁿ, (members, atoms, N_int + 1).
        atoms_mask: (members, atoms) bool, which atoms each member learns from; all if left out.
    """
    total = 0 * orders.sum((1, 2))  # which has a gradient even if there is no term
    for weight, term_residuals in weighted:
        total = total + weight * term_residuals.errors()
    if hierarchicality_weight:
        R = hierarchicality(orders)  # (members, atoms)
        mean = R.mean(1)
        if atoms_mask is not None:
            mean = (R * atoms_mask).sum(1) / atoms_mask.sum(1).clamp(min=1)
        total = total + hierarchicality_weight * mean
    return total


def weight_gradients(losses: torch.Tensor, weights: list[torch.Tensor]) -> list[torch.Tensor]:
    """The gradients of each member's loss with respect to its weights, in the weights' shapes."""
    return list(torch.autograd.grad(losses.sum(), weights, materialize_grads=True))


def mixing_weights(model: HIPNN) -> list[torch.Tensor]:
    """The weights that w_L2 acts on: all matrices that mix features (docs/conventions.md)."""
    weights: list[torch.Tensor] = []
    for layer in model.layers:
        base = layer.base
        weights += [base.V, base.W] if isinstance(base, Interaction) else [base.weight]
        weights.append(layer.outer.weight)
        if hasattr(layer, "skip"):
            weights.append(layer.skip.weight)
    return weights
