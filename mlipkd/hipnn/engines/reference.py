"""The reference engine: the network's forward pass in plain PyTorch, differentiated automatically.

It is differentiable to any order (see ``Engine`` in ``engines``).
"""

import torch

from mlipkd.hipnn.batch import Batch
from mlipkd.hipnn.derivatives import forces
from mlipkd.hipnn.network import HIPNN
from mlipkd.hipnn.surroundings import Surroundings

__all__ = ["forces", "orders_and_gradient", "pair_gradient"]


def orders_and_gradient(
    model: HIPNN,
    batch: Batch,
    derivatives: bool,
    training: bool,
    kind: type[Surroundings] = Surroundings,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """E_iⁿ and, if ``derivatives`` is set, the pair gradient; ``kind`` has the sums to use."""
    around = model.surroundings(batch, derivatives, kind)
    with torch.set_grad_enabled(training or derivatives):
        orders = model(around)
        gradient = pair_gradient(orders, around, training) if derivatives else None
    return orders if training else orders.detach(), gradient


def pair_gradient(orders: torch.Tensor, around: Surroundings, graph: bool) -> torch.Tensor:
    """∂(Σ E)/∂d_ij: (members, atoms, neighbours, 3), eV/Å.

    Args:
        orders: E_iⁿ, (members, atoms, N_int + 1), eV.
        around: what they were computed from.
        graph: whether the gradient can be differentiated in turn.
    """
    (gradient,) = torch.autograd.grad(orders.sum(), around.vectors, create_graph=graph)
    return gradient
