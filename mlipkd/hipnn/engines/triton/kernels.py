"""The sums over neighbours on a GPU, for several members of a family in one pass.

All members see the same neighbours but have different weights. Each function is one pass over the
pairs, or two, that stores nothing of their number times sensitivities: derivatives make the
Gaussians again. No two programs add to the same number, so results are the same bits each time;
derivatives with respect to μ and σ, which all atoms share, are summed by PyTorch from each
program's part.

| symbol | variable | shape |
|---|---|---|
| R_j - R_i | `vectors` | (members, atoms, neighbours, 3), Å, the same for all members |
| μ_ν, σ_ν | `mu`, `sigma` | (members, sensitivities), Å |
| R | `hard_max` | cut-off, Å |
| | `components` | 1, 4 or 9 for l_max 0, 1 or 2 |

Triton is imported when a function is called: mlipkd runs without it.
"""

import torch
from torch import Tensor

#: Sensitivities of one warp in the environment: four for each thread.
LANES = 128
#: Bytes of an atom's Q, sensitivities times features, of a program and of one of its warps: few
#: enough that a second array of this size, its derivative, stays in registers, too.
TILE = 16384
TILE_OF_WARP = 4096
#: Most warps of a program; with so many lanes it is slow, but right.
WARPS = 16


def environment(
    vectors: Tensor, bounds: Tensor, mu: Tensor, sigma: Tensor, hard_max: float, components: int
) -> Tensor:
    """env: (members, atoms, components, elements, sensitivities).

    Args:
        vectors: the neighbours of each atom sorted by element.
        bounds: (atoms, elements + 1) int32, where each element's neighbours start.
        mu, sigma, hard_max, components: as above.
    """
    from mlipkd.hipnn.engines.triton import environment as kernels

    members, atoms, width, _ = vectors.shape
    elements, number = bounds.shape[1] - 1, mu.shape[1]
    env = vectors.new_empty(members, atoms, components, elements, number)
    inputs = [vectors[0], bounds, mu, sigma]
    shape = (atoms, width, elements, number, components, hard_max)
    _launch(kernels.forward, (atoms, elements, members), inputs, [env], shape)
    return env


def environment_backward(
    G: Tensor,
    vectors: Tensor,
    bounds: Tensor,
    mu: Tensor,
    sigma: Tensor,
    hard_max: float,
    components: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """From G = ∂L/∂env: ∂L/∂vectors of each member, ∂L/∂μ, ∂L/∂σ."""
    from mlipkd.hipnn.engines.triton import environment as kernels

    members, atoms, width, _ = vectors.shape
    elements, number = bounds.shape[1] - 1, mu.shape[1]
    dvectors = vectors.new_zeros(vectors.shape)
    dmu, dsigma = mu.new_empty(2, members, atoms, elements, number)
    inputs = [G, vectors[0], bounds, mu, sigma]
    shape = (atoms, width, elements, number, components, hard_max)
    out = [dvectors, dmu, dsigma]
    _launch(kernels.backward, (atoms, elements, members), inputs, out, shape)
    return dvectors, dmu.sum((1, 2)), dsigma.sum((1, 2))


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
    """Of ⟨v, ∂⟨G, env⟩/∂vectors⟩ the derivatives wrt G, μ and σ."""
    from mlipkd.hipnn.engines.triton import environment as kernels

    members, atoms, width, _ = vectors.shape
    elements, number = bounds.shape[1] - 1, mu.shape[1]
    dG = G.new_empty(G.shape)
    dmu, dsigma = mu.new_empty(2, members, atoms, elements, number)
    inputs = [v, G, vectors[0], bounds, mu, sigma]
    shape = (atoms, width, elements, number, components, hard_max)
    _launch(kernels.along, (atoms, elements, members), inputs, [dG, dmu, dsigma], shape)
    return dG, dmu.sum((1, 2)), dsigma.sum((1, 2))


def messages(
    vectors: Tensor,
    senders: Tensor,
    reverse: Tensor,
    counts: Tensor,
    mu: Tensor,
    sigma: Tensor,
    Q: Tensor,
    hard_max: float,
    components: int,
) -> Tensor:
    """What each atom receives: (members, atoms, components, features).

    Args:
        vectors, mu, sigma, hard_max, components: as above.
        senders: (atoms, neighbours) int64, atom j of each slot.
        reverse: (atoms * neighbours,) int64, for the slot of (i ← j) that of (j ← i); derivatives
            need it.
        counts: (atoms,) int32, neighbours of each atom; later slots are not read.
        Q: (members, atoms, sensitivities, features), what each atom sends.
    """
    from mlipkd.hipnn.engines.triton import messages as kernels

    out = Q.new_empty(*Q.shape[:2], components, Q.shape[3])
    inputs = [vectors[0], senders, counts, mu, sigma, Q]
    _launch_in_blocks(kernels.forward, inputs, [out], vectors, Q, hard_max, components)
    return out


def messages_backward(
    G: Tensor,
    vectors: Tensor,
    senders: Tensor,
    reverse: Tensor,
    counts: Tensor,
    mu: Tensor,
    sigma: Tensor,
    Q: Tensor,
    hard_max: float,
    components: int,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """From G = ∂L/∂out: ∂L/∂vectors of each member, ∂L/∂μ, ∂L/∂σ, ∂L/∂Q."""
    from mlipkd.hipnn.engines.triton import messages as kernels

    members, atoms, number, _ = Q.shape
    blocks = _blocks(Q)[2]
    dvectors = vectors.new_zeros(blocks, *vectors.shape)
    dmu, dsigma = mu.new_empty(2, members, atoms, blocks, number)
    dQ = Q.new_empty(Q.shape)
    inputs = [G, vectors[0], senders, reverse, counts, mu, sigma, Q]
    out = [dvectors, dmu, dsigma, dQ]
    _launch_in_blocks(kernels.backward, inputs, out, vectors, Q, hard_max, components)
    return dvectors.sum(0), dmu.sum((1, 2)), dsigma.sum((1, 2)), dQ


def messages_along(
    v: Tensor,
    w: Tensor,
    G: Tensor,
    vectors: Tensor,
    senders: Tensor,
    reverse: Tensor,
    counts: Tensor,
    mu: Tensor,
    sigma: Tensor,
    Q: Tensor,
    hard_max: float,
    components: int,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Of ⟨v, ∂⟨G, out⟩/∂vectors⟩ + ⟨w, ∂⟨G, out⟩/∂Q⟩ the derivatives wrt G, μ, σ and Q."""
    from mlipkd.hipnn.engines.triton import messages as kernels

    members, atoms, number, _ = Q.shape
    dmu, dsigma = mu.new_empty(2, members, atoms, _blocks(Q)[2], number)
    dG, dQ = G.new_empty(G.shape), Q.new_empty(Q.shape)
    inputs = [v, w, vectors[0], senders, counts, mu, sigma, Q]
    _launch_in_blocks(kernels.along_at_receivers, inputs, [dG], vectors, Q, hard_max, components)
    inputs = [v, w, G, vectors[0], senders, reverse, counts, mu, sigma, Q]
    out = [dmu, dsigma, dQ]
    _launch_in_blocks(kernels.along_at_senders, inputs, out, vectors, Q, hard_max, components)
    return dG, dmu.sum((1, 2)), dsigma.sum((1, 2)), dQ


def _launch(kernel, programs: tuple, inputs: list, out: list, shape: tuple) -> None:
    """Start the programs of the environment."""
    block = _power_of_two(shape[3])
    with torch.cuda.device_of(out[0]):
        kernel[programs](
            *(tensor.contiguous() for tensor in inputs),
            *out,
            *shape,
            block,
            num_warps=min(max(block // LANES, 1), WARPS),
        )


def _launch_in_blocks(
    kernel, inputs: list, out: list, vectors: Tensor, Q: Tensor, hard_max: float, components: int
) -> None:
    """Start the programs of the messages, for some features each."""
    members, atoms, number, features = Q.shape
    rows, columns, blocks = _blocks(Q)
    warps = rows * columns * Q.element_size() // TILE_OF_WARP
    with torch.cuda.device_of(Q):
        kernel[atoms, blocks, members](
            *(tensor.contiguous() for tensor in inputs),
            *out,
            atoms,
            vectors.shape[2],
            number,
            features,
            components,
            hard_max,
            rows,
            columns,
            num_warps=min(max(warps, 1), WARPS),
        )


def _blocks(Q: Tensor) -> tuple[int, int, int]:
    """Lanes for the sensitivities and the features of a program; blocks of features."""
    number, features = Q.shape[2:]
    rows = _power_of_two(number)
    columns = min(_power_of_two(features), max(TILE // (rows * Q.element_size()), 16))
    return rows, columns, -(-features // columns)


def _power_of_two(number: int) -> int:
    """The smallest power of two that is not less."""
    return 1 << (number - 1).bit_length()
