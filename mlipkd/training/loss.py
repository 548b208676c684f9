"""The loss: Σ_terms w · Err(prediction, label) + w_L2 Σ|W|² + w_R ⟨R_i⟩, with Err = RMSE + MAE.

Err of Hessians and of their products is the mean square: of the products with random vectors it has
the mean that it has of the Hessians themselves (``training/probes.py``), which a root has not.

Err is taken over a mini-batch (docs/conventions.md; Matin et al., Digital Discovery 2025, Eq. 3).
The derivative of the term in w_L2, 2 w_L2 W, is what Adam calls weight decay; it is left to it.

Labels may count differently (``training/trust.py``): the means in RMSE and MAE are then weighted.

The members of an ensemble have a loss each, over those of a batch's configurations that are theirs.
The sum of their losses has, by the weights of one, the derivative of that one's loss.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import torch

from mlipkd.config.recipe import LossTerm
from mlipkd.hipnn.batch import Batch
from mlipkd.hipnn.derivatives import forces, orders_and_gradient, per_system, stress
from mlipkd.hipnn.engines.wanted import only
from mlipkd.hipnn.hessian import Curvature, multiply
from mlipkd.hipnn.interaction import Interaction
from mlipkd.hipnn.network import HIPNN, hierarchicality
from mlipkd.training.data import Labels, atom_axes, stored


@dataclass
class Residuals:
    """Prediction - label of one term, of each member."""

    values: torch.Tensor  # (members, values), zero where there is no label or it is not theirs
    counts: torch.Tensor  # (members or 1, values), what each counts; zero likewise
    squared: bool = False
    """Whether Err is the mean square, in place of RMSE + MAE."""

    @classmethod
    def joined(cls, found: Sequence[Self]) -> Self:
        """Those of several parts as those of the whole."""
        if len(found) == 1:
            return found[0]
        values = torch.cat([one.values for one in found], 1)
        counts = torch.cat([one.counts.expand(len(one.values), -1) for one in found], 1)
        return cls(values, counts, found[0].squared)

    def errors(self) -> torch.Tensor:
        """Err of each member: (members,); zero where nothing is labelled."""
        total = self.counts.sum(1)  # (members or 1,)
        total = torch.where(total > 0, total, 1)
        if self.squared:
            return (self.values.square() * self.counts).sum(1) / total
        # The norm, unlike the root of a mean, has a derivative (zero) where all residuals vanish.
        rmse = torch.linalg.vector_norm(self.values * self.counts.sqrt(), dim=1) / total.sqrt()
        return rmse + (self.values.abs() * self.counts).sum(1) / total


@dataclass
class Errors:
    """RMSE and MAE of one term over many batches, of each member: (members,) each, float64."""

    squared: torch.Tensor
    absolute: torch.Tensor
    count: torch.Tensor

    @classmethod
    def none(cls, members: int, device: torch.device | str = "cpu") -> Self:
        """Those of no batch."""
        return cls(*torch.zeros(3, members, dtype=torch.float64, device=device))

    def add(self, found: Residuals) -> None:
        """Add those of a batch."""
        values, counts = found.values.detach().double(), found.counts.double()
        self.squared = self.squared + (values.square() * counts).sum(1)
        self.absolute = self.absolute + (values.abs() * counts).sum(1)
        self.count = self.count + counts.sum(1).expand(len(values))

    def result(self) -> dict[str, list[float]]:
        """``rmse`` and ``mae``, a number for each member."""
        rmse = (self.squared / self.count).sqrt()
        return {"rmse": rmse.tolist(), "mae": (self.absolute / self.count).tolist()}


def err(term: LossTerm, errors: Mapping[str, float]) -> float:
    """Err of a term, from what ``Errors.result`` says of one member."""
    return errors["rmse"] ** 2 if term.of_curvature else errors["rmse"] + errors["mae"]


def residuals(
    model: HIPNN,
    batch: Batch,
    labels: Labels,
    terms: list[LossTerm],
    training: bool,
    theirs: torch.Tensor | None = None,
) -> tuple[list[Residuals], torch.Tensor]:
    """The residuals of each term, and E_iⁿ (members, atoms, N_int + 1) without any walls.

    Args:
        model: the members.
        batch: some configurations.
        labels: theirs, NaN where there is none.
        terms: of the loss.
        training: keep the graph, to derive by the weights.
        theirs: (members, systems) bool, which configurations are whose; none if all are everyone's.
    """
    quantities = {term.quantity for term in terms}
    derivatives = bool(quantities & {"forces", "stress"})
    curvature = Curvature(model, batch, training) if "hvp" in quantities else None
    orders: torch.Tensor
    gradient: torch.Tensor | None
    if curvature is not None:  # the energy and its gradient are there already
        orders, gradient = curvature.orders, curvature.gradient
    else:
        orders, gradient = orders_and_gradient(model, batch, derivatives, training)
    atomic_energies = orders.sum(2)  # (members, atoms)
    energy = per_system(atomic_energies, batch)  # (members, systems)
    predicted = {
        "energy": energy,
        "energy_per_atom": energy / batch.sizes,
        "atomic_energies": atomic_energies,
    }
    if gradient is not None:
        if "forces" in quantities:
            predicted["forces"] = forces(model, gradient, batch)
        if "stress" in quantities:
            predicted["stress"] = stress(gradient, batch)
    found = []
    for term in terms:
        label = labels[term.labels, stored(term.quantity)]
        weights = labels["trust", term.quantity] if term.trust else None  # (systems or atoms,)
        if term.quantity == "energy_per_atom":
            label = label / batch.sizes
        per_atom = atom_axes(term.quantity) == 1
        if term.quantity == "hvp":
            assert curvature is not None
            probes = labels["probes", term.labels]  # (atoms, 3)
            label, per_atom = multiply(label, probes, batch), True
            predicted["hvp"] = curvature.product(probes)
            # One component stands for a row of the Hessian, as long as there are coordinates.
            weights = 3 * batch.sizes[batch.systems]  # (atoms,)
        rows = theirs[:, batch.systems] if theirs is not None and per_atom else theirs
        found.append(compared(term, predicted[term.quantity], label, rows, weights))
    if model.repulsion is not None:
        # A wall is no order of the expansion: R would let it decide what the network may say.
        orders = torch.cat([model.E0[:, batch.elements, None], orders[..., 1:]], 2)
    return found, orders


def compared(
    term: LossTerm,
    predicted: torch.Tensor,
    label: torch.Tensor,
    theirs: torch.Tensor | None,
    weights: torch.Tensor | None = None,
) -> Residuals:
    """The residuals of one term.

    Args:
        term: of the loss.
        predicted: (members, rows, …).
        label: (rows, …), NaN where there is none.
        theirs: (members, rows) bool, which rows are whose; none if all are everyone's.
        weights: (rows,), what each counts; none if all count one.
    """
    counted = torch.isfinite(label)[None]  # (1, rows, …)
    row = [1] * (label.ndim - 1)
    if theirs is not None:
        counted = counted & theirs.view(*theirs.shape, *row)
    difference = torch.where(counted, predicted - label, 0).flatten(1)
    if weights is not None:
        counts = torch.where(counted, weights.view(-1, *row), 0).to(difference.dtype)
    else:
        counts = counted.to(difference.dtype)
    return Residuals(difference, counts.flatten(1), term.of_curvature)


def loss(
    hierarchicality_weight: float,
    weighted: list[tuple[float, Residuals]],
    orders: torch.Tensor,
    theirs: torch.Tensor | None = None,
) -> torch.Tensor:
    """The losses of one mini-batch but for w_L2: (members,).

    Args:
        hierarchicality_weight: w_R.
        weighted: weight and residuals of each term.
        orders: E_iⁿ, (members, atoms, N_int + 1).
        theirs: (members, atoms) bool, which atoms are whose; none if all are everyone's.
    """
    total = 0 * orders.sum((1, 2))  # which may be derived, though no term be there
    for weight, found in weighted:
        total = total + weight * found.errors()
    if hierarchicality_weight:
        R = hierarchicality(orders)  # (members, atoms)
        mean = R.mean(1) if theirs is None else (R * theirs).sum(1) / theirs.sum(1).clamp(min=1)
        total = total + hierarchicality_weight * mean
    return total


def gradients(losses: torch.Tensor, weights: list[torch.Tensor]) -> list[torch.Tensor]:
    """The derivatives of each member's loss by its weights, of the weights' shapes."""
    with only("weights"):
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
