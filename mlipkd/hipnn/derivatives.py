"""Energy → forces and stress, through the pair vectors.

With d_ij = R_j - R_i + shift and g_ij = ∂E/∂d_ij, each pair counted in both directions,

    F_i = -∂E/∂R_i = Σ_j (g_ij - g_ji)
    stress = (1/V) Σ_ij d_ij ⊗ g_ij

so one derivative with respect to the vectors gives all of them, for free and periodic systems.
"""

import torch

from mlipkd.hipnn.batch import Batch
from mlipkd.hipnn.interaction import Exchange


def per_system(values: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Sums over the atoms of each configuration: (atoms, …) → (systems, …)."""
    sums = values.new_zeros(len(batch.sizes), *values.shape[1:])
    return sums.index_add(0, batch.systems, values)


def pair_gradient(energy: torch.Tensor, batch: Batch, training: bool) -> torch.Tensor:
    """∂E/∂d_ij: (atoms, neighbours, 3), eV/Å; ``training`` keeps the graph to derive it again."""
    (gradient,) = torch.autograd.grad(energy.sum(), batch.vectors, create_graph=training)
    return gradient


def forces(gradient: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Forces from the pair gradient: (atoms, 3), eV/Å."""
    reaction = Exchange.apply(gradient.reshape(-1, 3), batch.reverse).view_as(gradient)
    return (gradient - reaction).sum(1)


def stress(gradient: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Stress from the pair gradient: (systems, 3, 3), eV/Å^3, positive under tension as in ASE.

    It is NaN for free systems, which have no volume.
    """
    per_atom = torch.einsum("ija,ijb->iab", batch.vectors, gradient)  # (atoms, 3, 3)
    volumes = torch.where(batch.volumes > 0, batch.volumes, torch.nan)
    return per_system(per_atom, batch) / volumes[:, None, None].to(gradient.dtype)
