"""Forces and stress from the pair gradient, and sums over the atoms of each configuration.

With d_ij = R_j - R_i + shift and g_ij = ∂E/∂d_ij, each pair counted in both directions,

    F_i = -∂E/∂R_i = Σ_j (g_ij - g_ji)
    stress = (1/V) Σ_ij d_ij ⊗ g_ij

so one derivative with respect to the vectors, which is what an engine gives (``engines``), makes
all of them, for free and periodic systems. Every member of an ensemble has its own: a leading
dimension.
"""

import torch

from mlipkd.hipnn.batch import Batch
from mlipkd.hipnn.surroundings import Exchange


def per_system(values: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Sums over the atoms of each configuration: (members, atoms, …) → (members, systems, …)."""
    sums = values.new_zeros(len(values), len(batch.sizes), *values.shape[2:])
    return sums.index_add(1, batch.systems, values)


def forces(gradient: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Forces, (members, atoms, 3), from the pair gradient, (members, atoms, neighbours, 3), eV/Å.

    Differentiable to any order; a column for each member (``is_grads_batched``) will do, too.
    """
    reaction = Exchange.apply(gradient.flatten(1, 2), batch.reverse).view_as(gradient)
    return (gradient - reaction).sum(2)


def stress(gradient: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Stress from the pair gradient: (members, systems, 3, 3), eV/Å^3, positive under tension.

    It is NaN for free systems, which have no volume.
    """
    per_atom = torch.einsum("ija,mijb->miab", batch.vectors, gradient)  # (members, atoms, 3, 3)
    free = (batch.volumes == 0)[:, None, None]  # (systems, 1, 1)
    # Filled in last: derivatives of a division by NaN are NaN, also where nothing asks for them.
    volumes = torch.where(free, 1, batch.volumes[:, None, None]).to(gradient.dtype)
    return (per_system(per_atom, batch) / volumes).masked_fill(free, torch.nan)
