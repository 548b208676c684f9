"""The loss: Σ_terms w · Err(prediction, label) + w_L2 Σ|W|² + w_R ⟨R_i⟩, with Err = RMSE + MAE.

Err is taken over a mini-batch (docs/conventions.md; Matin et al., Digital Discovery 2025, Eq. 3).
The derivative of the term in w_L2, 2 w_L2 W, is what Adam calls weight decay; it is left to it.
"""

import torch

from mlipkd.config.recipe import LossTerm
from mlipkd.hipnn.batch import Batch
from mlipkd.hipnn.derivatives import forces, pair_gradient, per_system, stress
from mlipkd.hipnn.hierarchicality import hierarchicality
from mlipkd.hipnn.interaction import Interaction
from mlipkd.hipnn.network import HIPNN
from mlipkd.training.data import Labels, stored


def residuals(
    model: HIPNN, batch: Batch, labels: Labels, terms: list[LossTerm], training: bool
) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Prediction - label of each term, where there is a label: one flat tensor each; and E_iⁿ."""
    quantities = {term.quantity for term in terms}
    derivatives = bool(quantities & {"forces", "stress"})
    batch.vectors.requires_grad_(derivatives)
    with torch.set_grad_enabled(training or derivatives):
        orders = model(batch)  # (atoms, N_int + 1)
        atomic_energies = orders.sum(1)  # (atoms,)
        energy = per_system(atomic_energies, batch)  # (systems,)
        predicted = {
            "energy": energy,
            "energy_per_atom": energy / batch.sizes,
            "atomic_energies": atomic_energies,
        }
        if derivatives:
            gradient = pair_gradient(energy, batch, training)
            if "forces" in quantities:
                predicted["forces"] = forces(gradient, batch)
            if "stress" in quantities:
                predicted["stress"] = stress(gradient, batch)
    found = []
    for term in terms:
        label = labels[term.labels, stored(term.quantity)].to(energy.device)
        if term.quantity == "energy_per_atom":
            label = label / batch.sizes
        residual = (predicted[term.quantity] - label).flatten()
        found.append(residual[torch.isfinite(label).flatten()])
    return found, orders


def error(residual: torch.Tensor) -> torch.Tensor:
    """Err = RMSE + MAE of one batch; zero where nothing is labelled."""
    number = max(residual.numel(), 1)
    # The norm, unlike the root of a mean, has a derivative (zero) where all residuals vanish.
    return torch.linalg.vector_norm(residual) / number**0.5 + residual.abs().sum() / number


def mixing_weights(model: HIPNN) -> list[torch.Tensor]:
    """The weights that w_L2 acts on: all matrices that mix features (HIPNN_SPEC section 6)."""
    weights: list[torch.Tensor] = []
    for layer in model.layers:
        base = layer.base
        weights += [base.V, base.W] if isinstance(base, Interaction) else [base.weight]
        weights.append(layer.outer.weight)
        if hasattr(layer, "skip"):
            weights.append(layer.skip.weight)
    return weights


def loss(
    hierarchicality_weight: float,
    weighted: list[tuple[float, torch.Tensor]],
    orders: torch.Tensor,
) -> torch.Tensor:
    """The loss of one mini-batch but for w_L2, from the weight and the residuals of each term."""
    total = orders.new_zeros(())
    for weight, residual in weighted:
        total = total + weight * error(residual)
    if hierarchicality_weight:
        total = total + hierarchicality_weight * hierarchicality(orders).mean()
    return total
