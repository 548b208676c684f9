"""The environment of the first layer as PyTorch operators on the compiled CPU kernel.

    env[i, c, a, ν] = Σ_j of element a  c(r) T_c(ĥ_ij) exp(-½ t_ν²)

with forces and force training: the operator, its derivative and the derivative of that, each a pass
over the pairs that stores nothing of their number times sensitivities (HIPNN_SPEC section 10).
"""

import ctypes
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

#: Which generation of processors a build needs, by PyTorch's name for this one; the best first.
BUILDS = {
    "AVX512": ("avx512", "avx2", "baseline"),
    "AVX2": ("avx2", "baseline"),
}
TYPES = {torch.float32: "float", torch.float64: "double"}


@cache
def library() -> ctypes.CDLL | None:
    """The best build that runs on this processor; none if it was installed without a compiler."""
    capability = torch.backends.cpu.get_cpu_capability()
    for name in BUILDS.get(capability, ("baseline",)):
        for path in Path(__file__).parent.glob(f"environment_{name}.*so"):
            return ctypes.CDLL(str(path))
    return None


def _call(name: str, components: int, inputs: list, hard_max: float, more: list, out: list) -> None:
    """Call a function of the library; the arrays are contiguous and of one type."""
    vectors, bounds, mu, _ = inputs
    kernel = getattr(library(), f"{name}_{TYPES[vectors.dtype]}")
    kernel(
        ctypes.c_int64(vectors.shape[0]),
        ctypes.c_int64(vectors.shape[1]),
        bounds.shape[1] - 1,
        len(mu),
        components,
        *(ctypes.c_void_p(tensor.data_ptr()) for tensor in inputs),
        ctypes.c_double(hard_max),
        *(ctypes.c_void_p(tensor.data_ptr()) for tensor in more),
        torch.get_num_threads(),
        *(ctypes.c_void_p(tensor.data_ptr()) for tensor in out),
    )


@torch.library.custom_op("mlipkd::environment", mutates_args=(), device_types="cpu")
def environment(
    vectors: Tensor, bounds: Tensor, mu: Tensor, sigma: Tensor, hard_max: float, components: int
) -> Tensor:
    """env: (atoms, components, elements, sensitivities).

    Args:
        vectors: (atoms, neighbours, 3), Å, the neighbours of each atom sorted by element.
        bounds: (atoms, elements + 1) int32, where each element's neighbours start.
        mu: (sensitivities,), Å.
        sigma: (sensitivities,), Å.
        hard_max: cut-off, Å.
        components: 1, 4 or 9 for l_max 0, 1 or 2.
    """
    inputs = [vectors.contiguous(), bounds, mu.contiguous(), sigma.contiguous()]
    env = vectors.new_empty(_shape(vectors, bounds, mu, components))
    _call("environment", components, inputs, hard_max, [], [env])
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
) -> tuple[Tensor, Tensor, Tensor]:
    """From G = ∂L/∂env: ∂L/∂vectors, ∂L/∂μ, ∂L/∂σ."""
    inputs = [vectors.contiguous(), bounds, mu.contiguous(), sigma.contiguous()]
    out = [torch.empty_like(tensor) for tensor in (inputs[0], inputs[2], inputs[3])]
    _call("environment_backward", components, inputs, hard_max, [G.contiguous()], out)
    return out[0], out[1], out[2]


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
) -> tuple[Tensor, Tensor, Tensor]:
    """Of ⟨v, ∂⟨G, env⟩/∂vectors⟩ the derivatives by G, μ and σ."""
    inputs = [vectors.contiguous(), bounds, mu.contiguous(), sigma.contiguous()]
    out = [torch.empty_like(tensor) for tensor in (G, inputs[2], inputs[3])]
    out[0] = out[0].contiguous()
    more = [G.contiguous(), v.contiguous()]
    _call("environment_along", components, inputs, hard_max, more, out)
    return out[0], out[1], out[2]


def _shape(vectors: Tensor, bounds: Tensor, mu: Tensor, components: int) -> tuple[int, ...]:
    return vectors.shape[0], components, bounds.shape[1] - 1, mu.shape[0]


@environment.register_fake
def _(vectors, bounds, mu, sigma, hard_max, components):
    return vectors.new_empty(_shape(vectors, bounds, mu, components))


@environment_backward.register_fake
def _(G, vectors, bounds, mu, sigma, hard_max, components):
    return torch.empty_like(vectors), torch.empty_like(mu), torch.empty_like(sigma)


@environment_along.register_fake
def _(v, G, vectors, bounds, mu, sigma, hard_max, components):
    return torch.empty_like(G), torch.empty_like(mu), torch.empty_like(sigma)


def _keep(ctx, inputs, output) -> None:
    *tensors, ctx.hard_max, ctx.components = inputs
    ctx.save_for_backward(*tensors)


def _environment_gradient(ctx, G):
    vectors, bounds, mu, sigma = ctx.saved_tensors
    dvectors, dmu, dsigma = environment_backward(
        G, vectors, bounds, mu, sigma, ctx.hard_max, ctx.components
    )
    return dvectors, None, dmu, dsigma, None, None


def _backward_gradient(ctx, v, by_dmu, by_dsigma):
    """The second pass of force training, where nothing but ∂L/∂vectors was derived from.

    The derivative by the vectors, which a Hessian needs, is not in the kernel: it is NaN, so that
    nobody takes it for a number. The reference path has it.
    """
    G, vectors, bounds, mu, sigma = ctx.saved_tensors
    dG, dmu, dsigma = environment_along(
        v, G, vectors, bounds, mu, sigma, ctx.hard_max, ctx.components
    )
    unknown = vectors.new_full((), torch.nan).expand_as(vectors)
    return dG, unknown, None, dmu, dsigma, None, None


environment.register_autograd(_environment_gradient, setup_context=_keep)
environment_backward.register_autograd(_backward_gradient, setup_context=_keep)
