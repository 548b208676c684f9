"""The reference engine: plain PyTorch, as the equations read (see engines.py)."""

import torch
from torch.nn.functional import softplus  # noqa: F401, one of the functions of an engine

from mlipkd.hipnn.batch import Batch
from mlipkd.hipnn.surroundings import Sensitivity, Surroundings

#: ε, which keeps the roots differentiable at zero.
CUSP = 1e-6


def environment(around: Surroundings, sensitivity: Sensitivity) -> torch.Tensor:
    """env: (members, atoms, components, elements, sensitivities)."""
    members, atoms, components, neighbours = around.tensors.shape
    slots = torch.arange(neighbours, device=around.tensors.device)
    bounds = around.batch.bounds[..., None]  # (atoms, elements + 1, 1)
    of_element = (bounds[:, :-1] <= slots) & (slots < bounds[:, 1:])  # (atoms, elements, slots)
    weighted = around.tensors[:, :, :, None] * of_element[:, None]
    env = weighted.flatten(2, 3) @ gaussians(around, sensitivity)
    return env.view(members, atoms, components, -1, env.shape[-1])


def messages(around: Surroundings, sensitivity: Sensitivity, Q: torch.Tensor) -> torch.Tensor:
    """Σ_j c T_c Σ_ν exp(-½ t_ν²) Q_jν, of Q (members, atoms, sensitivities, out)."""
    # r_ij = r_ji, so the sensitivities of a row are those of what its atom sends, too.
    sent = gaussians(around, sensitivity) @ Q  # (members, atoms, neighbours, out)
    received = Exchange.apply(sent.flatten(1, 2), around.batch.reverse)
    return around.tensors @ received.view_as(sent)


def norms(A: torch.Tensor, tau1: torch.Tensor, tau2: torch.Tensor | None) -> torch.Tensor:
    """A_0 + τ1 |A_vector| + τ2 |A_tensor|."""
    square = (A[:, :, 1:4] ** 2).sum(2)  # (members, atoms, out)
    out = A[:, :, 0] + tau1[:, None] * torch.sqrt(square + CUSP)
    if tau2 is not None:
        # Frobenius norm of the tensor; the product stands for the entry zz = -(xx + yy)
        square = 2 * ((A[:, :, 4:9] ** 2).sum(2) + A[:, :, 4] * A[:, :, 7])
        out = out + tau2[:, None] * torch.sqrt(square + CUSP)
    return out


def pair_forces(gradient: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Σ_j (g_ij - g_ji), of g (members, atoms, neighbours, 3)."""
    reaction = Exchange.apply(gradient.flatten(1, 2), batch.reverse).view_as(gradient)
    return (gradient - reaction).sum(2)


def gaussians(around: Surroundings, sensitivity: Sensitivity) -> torch.Tensor:
    """exp(-½ t_ν²) of each pair: (members, atoms, neighbours, sensitivities)."""
    mu, sigma = (weights[:, None, None] for weights in (sensitivity.mu, sensitivity.sigma))
    return Gaussian.apply(sigma * (1 / around.distances[..., None] - 1 / mu))


class Gaussian(torch.autograd.Function):
    """exp(-½ t²), with its derivative -t exp(-½ t²) in as few passes over the pairs as it takes."""

    @staticmethod
    def forward(ctx, t: torch.Tensor) -> torch.Tensor:
        gaussian = torch.square(t).mul_(-0.5).exp_()
        ctx.save_for_backward(t, gaussian)
        return gaussian

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> torch.Tensor:
        t, gaussian = ctx.saved_tensors
        return -(t * gaussian) * gradient


class Exchange(torch.autograd.Function):
    """Rows in the order of the reverse pairs: what was sent becomes what is received.

    The permutation is its own inverse, so its derivative is the same gather, without a scatter.
    That derivative is PyTorch's own operator: it may be derived in turn where the columns of a
    Hessian are made together (``is_grads_batched``), where a function of ours has no derivatives.
    """

    @staticmethod
    def forward(ctx, rows: torch.Tensor, reverse: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(reverse)
        return rows.index_select(1, reverse)

    @staticmethod
    def backward(ctx, gradient: torch.Tensor):
        (reverse,) = ctx.saved_tensors
        return gradient.index_select(1, reverse), None
