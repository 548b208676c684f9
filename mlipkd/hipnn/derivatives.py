"""Energy → forces and stress, through the pair vectors.

With d_ij = R_j - R_i + shift and g_ij = ∂E/∂d_ij, each pair counted in both directions,

    F_i = -∂E/∂R_i = Σ_j (g_ij - g_ji)
    stress = (1/V) Σ_ij d_ij ⊗ g_ij

so one derivative with respect to the vectors gives all of them, for free and periodic systems.
Every member of an ensemble has its own: a leading dimension.
"""

import torch

from mlipkd.hipnn.batch import Batch
from mlipkd.hipnn.engines import ENGINES
from mlipkd.hipnn.engines.cpu import analytic
from mlipkd.hipnn.engines.wanted import only
from mlipkd.hipnn.network import HIPNN


def pair_vectors(model: HIPNN, batch: Batch) -> torch.Tensor:
    """The batch's vectors for each member, to derive by: (members, atoms, neighbours, 3)."""
    return batch.vectors.expand(model.members, *batch.vectors.shape).detach().requires_grad_()


def orders_and_gradient(
    model: HIPNN, batch: Batch, derivatives: bool, training: bool
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """E_iⁿ and, if ``derivatives`` are asked for, the pair gradient, by the fastest way there is.

    In training both are differentiable by the weights. By positions they are derived again in
    ``hessian.py``.

    Returns:
        (members, atoms, N_int + 1) float64, eV; (members, atoms, neighbours, 3), eV/Å, or none.
    """
    if model.engine == "cpu":
        return analytic.orders_and_gradient(model, batch, derivatives, training)
    vectors = pair_vectors(model, batch)
    with torch.set_grad_enabled(training or derivatives):
        orders = model(batch, vectors)
        gradient = pair_gradient(orders, vectors, training) if derivatives else None
    return orders if training else orders.detach(), gradient


def per_system(values: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Sums over the atoms of each configuration: (members, atoms, …) → (members, systems, …)."""
    sums = values.new_zeros(len(values), len(batch.sizes), *values.shape[2:])
    return sums.index_add(1, batch.systems, values)


def pair_gradient(energy: torch.Tensor, vectors: torch.Tensor, training: bool) -> torch.Tensor:
    """∂E/∂d_ij: (members, atoms, neighbours, 3), eV/Å.

    Args:
        energy: of each member's systems or atoms, eV; it is summed.
        vectors: of ``pair_vectors``.
        training: keep the graph, to derive the gradient by the weights.
    """
    with only("vectors"):
        (gradient,) = torch.autograd.grad(energy.sum(), vectors, create_graph=training)
    return gradient


def forces(model: HIPNN, gradient: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Forces from the pair gradient: (members, atoms, 3), eV/Å."""
    return ENGINES[model.engine].pair_forces(gradient, batch)


def stress(gradient: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Stress from the pair gradient: (members, systems, 3, 3), eV/Å^3, positive under tension.

    It is NaN for free systems, which have no volume.
    """
    per_atom = torch.einsum("ija,mijb->miab", batch.vectors, gradient)  # (members, atoms, 3, 3)
    free = (batch.volumes == 0)[:, None, None]  # (systems, 1, 1)
    # Filled in last: derivatives of a division by NaN are NaN, also where nothing asks for them.
    volumes = torch.where(free, 1, batch.volumes[:, None, None]).to(gradient.dtype)
    return (per_system(per_atom, batch) / volumes).masked_fill(free, torch.nan)
