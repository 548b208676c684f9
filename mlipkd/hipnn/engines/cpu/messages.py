"""The sum over neighbours of the later layers as PyTorch operators on the compiled CPU kernel.

    out[m, i, c, f] = Σ_j c(r) T_c(ĥ_ij) Σ_ν exp(-½ t_mν²) Q[m, j, ν, f]

for the members m of an ensemble, which share their neighbours; with forces and force training: the
operator, its derivative and the derivative of that, which store nothing of the number of pairs
times sensitivities or features.

Vectors come as (members, atoms, neighbours, 3), so that each member has a derivative of its own;
but they are the same for all members, an expanded view of which the first is read. Q is what an
atom sends to each sensitivity, Σ_a V_{ν,f,a} z_{j,a}.
"""

import torch
from torch import Tensor

from mlipkd.hipnn.engines.cpu.library import call
from mlipkd.hipnn.engines.wanted import wanted

Derivatives = tuple[Tensor, Tensor, Tensor, Tensor]

#: The kernel works on whole registers: so many features, or a multiple.
REGISTER = 16


def _filled_up(tensor: Tensor) -> Tensor:
    """With zeros for features, up to whole registers."""
    missing = -tensor.shape[-1] % REGISTER
    return torch.nn.functional.pad(tensor, (0, missing)) if missing else tensor.contiguous()


def _cut(tensor: Tensor, features: int) -> Tensor:
    """The features that there are."""
    return tensor[..., :features].contiguous()


def _empty(tensor: Tensor) -> Tensor:
    """Of the shape that a tensor has when filled up."""
    return tensor.new_empty(*tensor.shape[:-1], tensor.shape[-1] + -tensor.shape[-1] % REGISTER)


def _call(
    name: str,
    vectors: Tensor,
    senders: Tensor,
    reverse: Tensor,
    bounds: Tensor,
    mu: Tensor,
    sigma: Tensor,
    Q: Tensor,
    hard_max: float,
    components: int,
    given: list[Tensor],
    results: list[Tensor | None],
) -> None:
    members, atoms, number, _ = Q.shape
    Q = _filled_up(Q)
    call(
        *(name, vectors.dtype),
        *(atoms, vectors.shape[2], members, bounds.shape[1] - 1, number, Q.shape[3], components),
        *(tensor.contiguous() for tensor in (vectors[0], senders, reverse, bounds, mu, sigma)),
        *(Q, hard_max, *given, torch.get_num_threads(), *results),
    )


@torch.library.custom_op("mlipkd::messages", mutates_args=(), device_types="cpu")
def messages(
    vectors: Tensor,
    senders: Tensor,
    reverse: Tensor,
    bounds: Tensor,
    mu: Tensor,
    sigma: Tensor,
    Q: Tensor,
    hard_max: float,
    components: int,
) -> Tensor:
    """out: (members, atoms, components, features).

    Args:
        vectors: (members, atoms, neighbours, 3), Å.
        senders: (atoms, neighbours) int64, atom j of each pair.
        reverse: (atoms * neighbours,) int64, for the slot of (i ← j) that of (j ← i).
        bounds: (atoms, elements + 1) int32; the last of a row is where its pairs end.
        mu: (members, sensitivities), Å.
        sigma: (members, sensitivities), Å.
        Q: (members, atoms, sensitivities, features).
        hard_max: cut-off, Å.
        components: 1, 4 or 9 for l_max 0, 1 or 2.
    """
    out = _empty(Q[:, :, :1].expand(_shape(Q, components)))
    inputs = (vectors, senders, reverse, bounds, mu, sigma, Q, hard_max, components)
    _call("messages", *inputs, [], [out])
    return _cut(out, Q.shape[-1])


@torch.library.custom_op("mlipkd::messages_backward", mutates_args=(), device_types="cpu")
def messages_backward(
    G: Tensor,
    vectors: Tensor,
    senders: Tensor,
    reverse: Tensor,
    bounds: Tensor,
    mu: Tensor,
    sigma: Tensor,
    Q: Tensor,
    hard_max: float,
    components: int,
    for_vectors: bool,
    for_weights: bool,
    for_features: bool,
) -> Derivatives:
    """From G = ∂L/∂out: ∂L/∂vectors, ∂L/∂μ, ∂L/∂σ, ∂L/∂Q; those that are not wanted are empty."""
    dvectors = vectors.new_empty(vectors.shape if for_vectors else 0)
    dmu, dsigma = (mu.new_empty(mu.shape if for_weights else 0) for _ in range(2))
    dQ = _empty(Q) if for_features else Q.new_empty(0)
    if for_vectors or for_weights or for_features:
        inputs = (vectors, senders, reverse, bounds, mu, sigma, Q, hard_max, components)
        weights = [dmu, dsigma] if for_weights else [None, None]
        results = [dvectors if for_vectors else None, *weights, dQ if for_features else None]
        _call("messages_backward", *inputs, [_filled_up(G)], results)
    return dvectors, dmu, dsigma, _cut(dQ, Q.shape[-1]) if for_features else dQ


@torch.library.custom_op("mlipkd::messages_along", mutates_args=(), device_types="cpu")
def messages_along(
    v: Tensor,
    w: Tensor,
    G: Tensor,
    vectors: Tensor,
    senders: Tensor,
    reverse: Tensor,
    bounds: Tensor,
    mu: Tensor,
    sigma: Tensor,
    Q: Tensor,
    hard_max: float,
    components: int,
) -> Derivatives:
    """Of ⟨v, ∂⟨G, out⟩/∂vectors⟩ + ⟨w, ∂⟨G, out⟩/∂Q⟩ the derivatives by G, μ, σ and Q."""
    dG, dQ = _empty(G), _empty(Q)
    dmu, dsigma = mu.new_empty(mu.shape), mu.new_empty(mu.shape)
    inputs = (vectors, senders, reverse, bounds, mu, sigma, Q, hard_max, components)
    given = [_filled_up(G), v.contiguous(), _filled_up(w)]
    _call("messages_along", *inputs, given, [dG, dmu, dsigma, dQ])
    return _cut(dG, Q.shape[-1]), dmu, dsigma, _cut(dQ, Q.shape[-1])


def _shape(Q: Tensor, components: int) -> tuple[int, ...]:
    return Q.shape[0], Q.shape[1], components, Q.shape[3]


@messages.register_fake
def _(vectors, senders, reverse, bounds, mu, sigma, Q, hard_max, components):
    return Q.new_empty(_shape(Q, components))


@messages_backward.register_fake
def _(G, vectors, senders, reverse, bounds, mu, sigma, Q, hard_max, components, *which):
    for_vectors, for_weights, for_features = which
    dvectors = vectors.new_empty(vectors.shape if for_vectors else 0)
    dmu, dsigma = (mu.new_empty(mu.shape if for_weights else 0) for _ in range(2))
    return dvectors, dmu, dsigma, Q.new_empty(Q.shape if for_features else 0)


@messages_along.register_fake
def _(v, w, G, vectors, senders, reverse, bounds, mu, sigma, Q, hard_max, components):
    dmu, dsigma = mu.new_empty(mu.shape), mu.new_empty(mu.shape)
    return G.new_empty(G.shape), dmu, dsigma, Q.new_empty(Q.shape)


def _keep(ctx, inputs, output) -> None:
    *tensors, ctx.hard_max, ctx.components = inputs
    ctx.save_for_backward(*tensors)


def _messages_gradient(ctx, G):
    for_vectors = ctx.needs_input_grad[0] and wanted("vectors")
    for_weights = ctx.needs_input_grad[4] and wanted("weights")
    for_features = ctx.needs_input_grad[6]
    dvectors, dmu, dsigma, dQ = messages_backward(
        *(G, *ctx.saved_tensors, ctx.hard_max, ctx.components),
        *(for_vectors, for_weights, for_features),
    )
    weights = (dmu, dsigma) if for_weights else (None, None)
    features = dQ if for_features else None
    return dvectors if for_vectors else None, None, None, None, *weights, features, None, None


def _keep_derivative(ctx, inputs, output) -> None:
    *tensors, ctx.hard_max, ctx.components, ctx.for_vectors, _, ctx.for_features = inputs
    ctx.save_for_backward(*tensors)
    ctx.set_materialize_grads(False)


def _backward_gradient(ctx, v, by_dmu, by_dsigma, w):
    """The second pass of force training, derived from ∂L/∂vectors and ∂L/∂Q.

    The derivative by the vectors, which a Hessian needs, is not in the kernel: it is NaN, so that
    nobody takes it for a number. The reference path has it.
    """
    G, vectors, *indices, mu, sigma, Q = ctx.saved_tensors
    v = v if v is not None and ctx.for_vectors else torch.zeros_like(vectors)
    w = w if w is not None and ctx.for_features else torch.zeros_like(Q)
    dG, dmu, dsigma, dQ = messages_along(
        *(v, w, G, vectors, *indices, mu, sigma, Q, ctx.hard_max, ctx.components)
    )
    unknown = None
    if wanted("vectors"):
        unknown = vectors.new_full((), torch.nan).expand_as(vectors)
    return dG, unknown, None, None, None, dmu, dsigma, dQ, None, None, None, None, None


messages.register_autograd(_messages_gradient, setup_context=_keep)
messages_backward.register_autograd(_backward_gradient, setup_context=_keep_derivative)
