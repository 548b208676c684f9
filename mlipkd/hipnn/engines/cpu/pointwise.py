"""The activation, the norms and the sum of pair forces, each in a single pass over the features.

In plain PyTorch each of them, with its derivatives to second order, is a dozen passes, which
together cost more than the matrix products between them.
"""

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mlipkd.hipnn.batch import Batch
from mlipkd.hipnn.engines.cpu.library import call


def activate_(x: Tensor, bias: Tensor, kind: Tensor) -> Tensor:
    """Put the softplus of x + bias in the place of x; its derivative there is returned.

    Args:
        x: (members, atoms, features), contiguous.
        bias: (members, kinds, features).
        kind: (atoms,) int64, which of the biases is an atom's.
    """
    slope = torch.empty_like(x)
    inputs = (*x.shape, bias.shape[1], kind, bias.contiguous())
    call("activate", x.dtype, *inputs, torch.get_num_threads(), x, slope)
    return slope


def adjoint_(lam: Tensor, slope: Tensor, tangent: Tensor, gradient: Tensor) -> None:
    """Put slope · lam + (1 - slope) · tangent · gradient in the place of lam; all of one shape."""
    inputs = (lam.numel(), slope, tangent, gradient, torch.get_num_threads(), lam)
    call("adjoint", lam.dtype, *inputs)


def norms(A: Tensor, tau1: Tensor, tau2: Tensor, cusp: float) -> Tensor:
    """A_0 + τ1 |A_vector| + τ2 |A_quadrupole|, the last for nine components.

    Args:
        A: (members, atoms, 4 or 9 components, out).
        tau1: (members, out).
        tau2: (members, out); not read where there are four components.
        cusp: added below the roots.

    Returns:
        (members, atoms, out).
    """
    out = A.new_empty(A.shape[0], A.shape[1], A.shape[3])
    call("norms", *_layer(A, tau1, tau2, cusp), torch.get_num_threads(), out)
    return out


def norms_backward(g: Tensor, A: Tensor, tau1: Tensor, tau2: Tensor, cusp: float) -> Tensor:
    """From g = ∂L/∂out: ∂L/∂A."""
    dA = A.new_empty(A.shape)
    inputs = (*_layer(A, tau1, tau2, cusp), g.contiguous(), torch.get_num_threads())
    call("norms_backward", *inputs, dA, None, None)
    return dA


def norms_weights(
    g: Tensor, A: Tensor, tau1: Tensor, tau2: Tensor, cusp: float
) -> tuple[Tensor, Tensor, Tensor]:
    """From g = ∂L/∂out: ∂L/∂A, ∂L/∂τ1, ∂L/∂τ2."""
    dA, dtau1, dtau2 = (tensor.new_empty(tensor.shape) for tensor in (A, tau1, tau2))
    inputs = (*_layer(A, tau1, tau2, cusp), g.contiguous(), torch.get_num_threads())
    call("norms_backward", *inputs, dA, dtau1, dtau2)
    return dA, dtau1, dtau2


def norms_along(
    u: Tensor, g: Tensor, A: Tensor, tau1: Tensor, tau2: Tensor, cusp: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Of ⟨u, ∂L/∂A⟩ the derivatives with respect to g, A, τ1 and τ2."""
    dg, dA, dtau1, dtau2 = (tensor.new_empty(tensor.shape) for tensor in (g, A, tau1, tau2))
    inputs = (*_layer(A, tau1, tau2, cusp), g.contiguous(), u.contiguous())
    call("norms_along", *inputs, torch.get_num_threads(), dg, dA, dtau1, dtau2)
    return dg, dA, dtau1, dtau2


def _layer(A: Tensor, tau1: Tensor, tau2: Tensor, cusp: float) -> tuple:
    members, atoms, components, features = A.shape
    tensors = (A.contiguous(), tau1.contiguous(), tau2.contiguous())
    return A.dtype, members, atoms, features, components, *tensors, cusp


def forces(gradient: Tensor, batch: Batch) -> Tensor:
    """F_i = Σ_j (g_ij - g_ji): (members, atoms, 3) of (members, atoms, neighbours, 3)."""
    return _Forces.apply(gradient, batch.senders, batch.reverse)


class _Forces(torch.autograd.Function):
    """Forces of the pair gradient and, per pair, of senders and reverse slots."""

    @staticmethod
    def forward(ctx, gradient: Tensor, senders: Tensor, reverse: Tensor) -> Tensor:
        ctx.save_for_backward(senders)
        members, atoms, width, _ = gradient.shape
        F = gradient.new_empty(members, atoms, 3)
        tensors = (gradient.contiguous(), reverse.contiguous())
        call("forces", F.dtype, members, atoms, width, *tensors, torch.get_num_threads(), F)
        return F

    @staticmethod
    @once_differentiable
    def backward(ctx, v: Tensor):
        """∂L/∂g_ij = v_i - v_j, from v = ∂L/∂F."""
        (senders,) = ctx.saved_tensors
        (members, atoms, _), width = v.shape, senders.shape[1]
        dgradient = v.new_empty(members, atoms, width, 3)
        inputs = (members, atoms, width, v.contiguous(), senders.contiguous())
        call("forces_backward", v.dtype, *inputs, torch.get_num_threads(), dgradient)
        return dgradient, None, None
