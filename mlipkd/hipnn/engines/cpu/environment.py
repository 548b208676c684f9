"""The environment of the first layer as PyTorch operators on the compiled CPU kernel.

    env[m, i, c, a, ν] = Σ_j of element a  c(r) T_c(ĥ_ij) exp(-½ t_mν²)

for the members m of an ensemble, which share their neighbours; with forces and force training: the
operator, its derivative and the derivative of that, each a pass over the pairs that stores nothing
of their number times sensitivities.

Vectors come as (members, atoms, neighbours, 3), so that each member has a derivative of its own;
but they are the same for all members, an expanded view of which the first is read.
"""

import torch
from torch import Tensor

from mlipkd.hipnn.engines.cpu.library import call
from mlipkd.hipnn.engines.wanted import wanted

Derivatives = tuple[Tensor, Tensor, Tensor]


def _inputs(
    vectors: Tensor, bounds: Tensor, mu: Tensor, sigma: Tensor, hard_max: float, components: int
) -> tuple:
    """Atoms, width, members, elements, sensitivities, components; the arrays; the cut-off."""
    numbers = (*vectors.shape[1:3], len(mu), bounds.shape[1] - 1, mu.shape[1], components)
    arrays = (tensor.contiguous() for tensor in (vectors[0], bounds, mu, sigma))
    return *numbers, *arrays, hard_max


@torch.library.custom_op("mlipkd::environment", mutates_args=(), device_types="cpu")
def environment(
    vectors: Tensor, bounds: Tensor, mu: Tensor, sigma: Tensor, hard_max: float, components: int
) -> Tensor:
    """env: (members, atoms, components, elements, sensitivities).

    Args:
        vectors: (members, atoms, neighbours, 3), Å, an atom's neighbours sorted by element.
        bounds: (atoms, elements + 1) int32, where each element's neighbours start.
        mu: (members, sensitivities), Å.
        sigma: (members, sensitivities), Å.
        hard_max: cut-off, Å.
        components: 1, 4 or 9 for l_max 0, 1 or 2.
    """
    env = vectors.new_empty(_shape(vectors, bounds, mu, components))
    inputs = _inputs(vectors, bounds, mu, sigma, hard_max, components)
    call("environment", vectors.dtype, *inputs, torch.get_num_threads(), env)
    return env


@torch.library.custom_op("mlipkd::environment_backward", mutates_args=(), device_types="cpu")
def environment_backward(
    G: Tensor,
    vectors: Tensor,
    bounds: Tensor,
    mu: Tensor,
    sigma: Tensor,
    hard_max: float,
    components: int,
    for_vectors: bool,
    for_weights: bool,
) -> Derivatives:
    """From G = ∂L/∂env: ∂L/∂vectors, ∂L/∂μ, ∂L/∂σ; those that are not wanted are empty."""
    dvectors = vectors.new_empty(vectors.shape if for_vectors else 0)
    dmu, dsigma = (mu.new_zeros(mu.shape if for_weights else 0) for _ in range(2))
    out = [dvectors if for_vectors else None, *((dmu, dsigma) if for_weights else (None, None))]
    if vectors.numel() and (for_vectors or for_weights):
        inputs = (*_inputs(vectors, bounds, mu, sigma, hard_max, components), G.contiguous())
        call("environment_backward", vectors.dtype, *inputs, torch.get_num_threads(), *out)
    return dvectors, dmu, dsigma


@torch.library.custom_op("mlipkd::environment_along", mutates_args=(), device_types="cpu")
def environment_along(
    v: Tensor,
    G: Tensor,
    vectors: Tensor,
    bounds: Tensor,
    mu: Tensor,
    sigma: Tensor,
    hard_max: float,
    components: int,
) -> Derivatives:
    """Of ⟨v, ∂⟨G, env⟩/∂vectors⟩ the derivatives by G, μ and σ."""
    dG = G.new_empty(G.shape)
    dmu, dsigma = mu.new_empty(mu.shape), mu.new_empty(mu.shape)
    inputs = (*_inputs(vectors, bounds, mu, sigma, hard_max, components), G.contiguous())
    out = (torch.get_num_threads(), dG, dmu, dsigma)
    call("environment_along", vectors.dtype, *inputs, v.contiguous(), *out)
    return dG, dmu, dsigma


def _shape(vectors: Tensor, bounds: Tensor, mu: Tensor, components: int) -> tuple[int, ...]:
    return len(mu), vectors.shape[1], components, bounds.shape[1] - 1, mu.shape[1]


@environment.register_fake
def _(vectors, bounds, mu, sigma, hard_max, components):
    return vectors.new_empty(_shape(vectors, bounds, mu, components))


@environment_backward.register_fake
def _(G, vectors, bounds, mu, sigma, hard_max, components, for_vectors, for_weights):
    dvectors = vectors.new_empty(vectors.shape if for_vectors else 0)
    dmu, dsigma = (mu.new_empty(mu.shape if for_weights else 0) for _ in range(2))
    return dvectors, dmu, dsigma


@environment_along.register_fake
def _(v, G, vectors, bounds, mu, sigma, hard_max, components):
    return G.new_empty(G.shape), mu.new_empty(mu.shape), mu.new_empty(mu.shape)


def _keep(ctx, inputs, output) -> None:
    vectors, bounds, mu, sigma, ctx.hard_max, ctx.components = inputs
    ctx.save_for_backward(vectors, bounds, mu, sigma)


def _environment_gradient(ctx, G):
    vectors, bounds, mu, sigma = ctx.saved_tensors
    for_vectors = ctx.needs_input_grad[0] and wanted("vectors")
    for_weights = ctx.needs_input_grad[2] and wanted("weights")
    dvectors, dmu, dsigma = environment_backward(
        *(G, vectors, bounds, mu, sigma, ctx.hard_max, ctx.components, for_vectors, for_weights)
    )
    weights = (dmu, dsigma) if for_weights else (None, None)
    return dvectors if for_vectors else None, None, *weights, None, None


def _keep_derivative(ctx, inputs, output) -> None:
    *tensors, ctx.hard_max, ctx.components, _, _ = inputs
    ctx.save_for_backward(*tensors)


def _backward_gradient(ctx, v, by_dmu, by_dsigma):
    """The second pass of force training, where nothing but ∂L/∂vectors was derived from.

    The derivative by the vectors, which a Hessian needs, is not in the kernel: it is NaN, so that
    nobody takes it for a number. The reference path has it.
    """
    G, vectors, bounds, mu, sigma = ctx.saved_tensors
    dG, dmu, dsigma = environment_along(
        v, G, vectors, bounds, mu, sigma, ctx.hard_max, ctx.components
    )
    unknown = None
    if wanted("vectors"):
        unknown = vectors.new_full((), torch.nan).expand_as(vectors)
    return dG, unknown, None, dmu, dsigma, None, None, None, None


environment.register_autograd(_environment_gradient, setup_context=_keep)
environment_backward.register_autograd(_backward_gradient, setup_context=_keep_derivative)
