"""The activation, the norms and the sum of pair forces as operators, each in a single pass.

In plain PyTorch each of them, with its derivatives to second order, is a dozen passes, which
together cost more than the matrix products between them.
"""

import torch
from torch import Tensor

from mlipkd.hipnn.engines.cpu.library import call
from mlipkd.hipnn.engines.wanted import wanted

Pair = tuple[Tensor, Tensor]


@torch.library.custom_op("mlipkd::softplus", mutates_args=(), device_types="cpu")
def softplus_and_slope(x: Tensor) -> Pair:
    """log(1 + exp x) and its derivative, which is not differentiable by itself."""
    x = x.contiguous()
    value, slope = torch.empty_like(x), torch.empty_like(x)
    call("softplus", x.dtype, x.numel(), x, torch.get_num_threads(), value, slope)
    return value, slope


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


@torch.library.custom_op("mlipkd::softplus_backward", mutates_args=(), device_types="cpu")
def softplus_backward(g: Tensor, x: Tensor, slope: Tensor) -> Tensor:
    """∂L/∂x from g = ∂L/∂softplus; x is there to be derived by."""
    return g * slope


@torch.library.custom_op("mlipkd::softplus_along", mutates_args=(), device_types="cpu")
def softplus_along(u: Tensor, g: Tensor, slope: Tensor) -> Pair:
    """Of ⟨u, ∂L/∂x⟩ the derivatives by g and x."""
    u, g = u.contiguous(), g.contiguous()
    dg, dx = torch.empty_like(g), torch.empty_like(g)
    call("softplus_along", g.dtype, g.numel(), u, g, slope, torch.get_num_threads(), dg, dx)
    return dg, dx


@softplus_and_slope.register_fake
def _(x):
    return x.new_empty(x.shape), x.new_empty(x.shape)


@softplus_backward.register_fake
def _(g, x, slope):
    return g.new_empty(g.shape)


@softplus_along.register_fake
def _(u, g, slope):
    return g.new_empty(g.shape), g.new_empty(g.shape)


def _keep_slope(ctx, inputs, output) -> None:
    _, slope = output
    ctx.mark_non_differentiable(slope)
    ctx.save_for_backward(inputs[0], slope)


def _keep_all(ctx, inputs, output) -> None:
    ctx.save_for_backward(*inputs)


def _softplus_gradient(ctx, g, _):
    x, slope = ctx.saved_tensors
    return softplus_backward(g, x, slope)


def _softplus_backward_gradient(ctx, u):
    g, _, slope = ctx.saved_tensors
    return *softplus_along(u, g, slope), None


softplus_and_slope.register_autograd(_softplus_gradient, setup_context=_keep_slope)
softplus_backward.register_autograd(_softplus_backward_gradient, setup_context=_keep_all)


def _layer(A: Tensor, tau1: Tensor, tau2: Tensor, cusp: float) -> tuple:
    members, atoms, components, features = A.shape
    tensors = (A.contiguous(), tau1.contiguous(), tau2.contiguous())
    return A.dtype, members, atoms, features, components, *tensors, cusp


@torch.library.custom_op("mlipkd::norms", mutates_args=(), device_types="cpu")
def norms(A: Tensor, tau1: Tensor, tau2: Tensor, cusp: float) -> Tensor:
    """A_0 + τ1 |A_vector| + τ2 |A_tensor|, the last for nine components: (members, atoms, out).

    Args:
        A: (members, atoms, 4 or 9 components, out).
        tau1: (members, out).
        tau2: (members, out); not read where there are four components.
        cusp: added below the roots.
    """
    out = A.new_empty(A.shape[0], A.shape[1], A.shape[3])
    call("norms", *_layer(A, tau1, tau2, cusp), torch.get_num_threads(), out)
    return out


@torch.library.custom_op("mlipkd::norms_backward", mutates_args=(), device_types="cpu")
def norms_backward(
    g: Tensor, A: Tensor, tau1: Tensor, tau2: Tensor, cusp: float, for_weights: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """From g = ∂L/∂out: ∂L/∂A, ∂L/∂τ1, ∂L/∂τ2; the last two are empty if they are not wanted."""
    dA = A.new_empty(A.shape)
    taus = [tau.new_empty(tau.shape if for_weights else 0) for tau in (tau1, tau2)]
    inputs = (*_layer(A, tau1, tau2, cusp), g.contiguous(), torch.get_num_threads())
    call("norms_backward", *inputs, dA, *(taus if for_weights else (None, None)))
    return dA, taus[0], taus[1]


@torch.library.custom_op("mlipkd::norms_along", mutates_args=(), device_types="cpu")
def norms_along(
    u: Tensor, g: Tensor, A: Tensor, tau1: Tensor, tau2: Tensor, cusp: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Of ⟨u, ∂L/∂A⟩ the derivatives by g, A, τ1 and τ2."""
    out = [tensor.new_empty(tensor.shape) for tensor in (g, A, tau1, tau2)]
    layer = _layer(A, tau1, tau2, cusp)
    tensors = (g.contiguous(), u.contiguous())
    call("norms_along", *layer, *tensors, torch.get_num_threads(), *out)
    return out[0], out[1], out[2], out[3]


@norms.register_fake
def _(A, tau1, tau2, cusp):
    return A.new_empty(A.shape[0], A.shape[1], A.shape[3])


@norms_backward.register_fake
def _(g, A, tau1, tau2, cusp, for_weights):
    taus = (tau.new_empty(tau.shape if for_weights else 0) for tau in (tau1, tau2))
    return A.new_empty(A.shape), *taus


@norms_along.register_fake
def _(u, g, A, tau1, tau2, cusp):
    return tuple(tensor.new_empty(tensor.shape) for tensor in (g, A, tau1, tau2))


def _keep_layer(ctx, inputs, output) -> None:
    *tensors, ctx.cusp = inputs
    ctx.save_for_backward(*tensors)


def _keep_derivative(ctx, inputs, output) -> None:
    *tensors, ctx.cusp, _ = inputs
    ctx.save_for_backward(*tensors)


def _norms_gradient(ctx, g):
    for_weights = ctx.needs_input_grad[1] and wanted("weights")
    dA, *taus = norms_backward(g, *ctx.saved_tensors, ctx.cusp, for_weights)
    return dA, *(taus if for_weights else (None, None)), None


def _norms_backward_gradient(ctx, u, by_dtau1, by_dtau2):
    """The second pass of force training, where nothing but ∂L/∂A was derived from."""
    return *norms_along(u, *ctx.saved_tensors, ctx.cusp), None, None


norms.register_autograd(_norms_gradient, setup_context=_keep_layer)
norms_backward.register_autograd(_norms_backward_gradient, setup_context=_keep_derivative)


@torch.library.custom_op("mlipkd::pair_forces", mutates_args=(), device_types="cpu")
def pair_forces(gradient: Tensor, senders: Tensor, reverse: Tensor) -> Tensor:
    """F_i = Σ_j (g_ij - g_ji): (members, atoms, 3) of (members, atoms, neighbours, 3)."""
    members, atoms, width, _ = gradient.shape
    F = gradient.new_empty(members, atoms, 3)
    tensors = (gradient.contiguous(), reverse.contiguous())
    call("forces", F.dtype, members, atoms, width, *tensors, torch.get_num_threads(), F)
    return F


@torch.library.custom_op("mlipkd::pair_forces_backward", mutates_args=(), device_types="cpu")
def pair_forces_backward(v: Tensor, senders: Tensor, reverse: Tensor) -> Tensor:
    """∂L/∂g_ij = v_i - v_j, from v = ∂L/∂F."""
    (members, atoms, _), width = v.shape, senders.shape[1]
    gradient = v.new_empty(members, atoms, width, 3)
    inputs = (members, atoms, width, v.contiguous(), senders.contiguous())
    call("forces_backward", v.dtype, *inputs, torch.get_num_threads(), gradient)
    return gradient


@pair_forces.register_fake
def _(gradient, senders, reverse):
    return gradient.new_empty(*gradient.shape[:2], 3)


@pair_forces_backward.register_fake
def _(v, senders, reverse):
    return v.new_empty(*v.shape[:2], senders.shape[1], 3)


def _keep_indices(ctx, inputs, output) -> None:
    ctx.save_for_backward(*inputs[1:])


pair_forces.register_autograd(
    lambda ctx, v: (pair_forces_backward(v, *ctx.saved_tensors), None, None),
    setup_context=_keep_indices,
)
pair_forces_backward.register_autograd(
    lambda ctx, u: (pair_forces(u, *ctx.saved_tensors), None, None),
    setup_context=_keep_indices,
)
