"""The messages of the later layers and their derivatives, by a compiled kernel.

    out[m, i, c, f] = Σ_j c(r) T_c(ĥ_ij) Σ_ν exp(-½ t_mν²) Q[m, j, ν, f]

for the members m of an ensemble. Each function stores nothing of the number of pairs times
sensitivities or features.

| symbol | variable | shape |
|---|---|---|
| R_j - R_i | `vectors` | (atoms, neighbours, 3), Å |
| j | `senders` | (atoms, neighbours) int64 |
| | `reverse` | (atoms * neighbours,) int64, for the slot of (i ← j) that of (j ← i) |
| | `bounds` | (atoms, elements + 1) int32; the last of a row is where its pairs end |
| μ_ν, σ_ν | `mu`, `sigma` | (members, sensitivities), Å |
| Q | `Q` | (members, atoms, sensitivities, features), what atoms send, Σ_a V_{ν,f,a} z_{j,a} |
| R | `hard_max` | cut-off, Å |
| | `components` | 1, 4 or 9 for l_max 0, 1 or 2 |
"""

from typing import NamedTuple

import torch
from torch import Tensor

from mlipkd.hipnn.engines.cpu.library import call

#: The kernel works on whole registers: so many features, or a multiple.
REGISTER = 16


class Layer(NamedTuple):
    """What the messages of a layer are a function of; see above."""

    vectors: Tensor
    senders: Tensor
    reverse: Tensor
    bounds: Tensor
    mu: Tensor
    sigma: Tensor
    Q: Tensor
    hard_max: float
    components: int

    def call(self, name: str, *arrays: Tensor, out: tuple[Tensor | None, ...]) -> None:
        """Call a kernel, which fills ``out`` from the layer and more arrays."""
        (members, atoms, number, _), Q = self.Q.shape, _padded(self.Q)
        width, elements = self.vectors.shape[1], self.bounds.shape[1] - 1
        sizes = (atoms, width, members, elements, number, Q.shape[3], self.components)
        layer = (tensor.contiguous() for tensor in self[:6])
        given = (*layer, Q, self.hard_max, *(array.contiguous() for array in arrays))
        call(name, Q.dtype, *sizes, *given, torch.get_num_threads(), *out)


def messages(layer: Layer) -> Tensor:
    """out: (members, atoms, components, features)."""
    members, atoms, _, features = layer.Q.shape
    out = _empty(members, atoms, layer.components, features, like=layer.Q)
    layer.call("messages", out=(out,))
    return _cut(out, features)


def messages_backward(G: Tensor, layer: Layer) -> tuple[Tensor, Tensor]:
    """From G = ∂L/∂out: ∂L/∂vectors, (members, atoms, neighbours, 3), and ∂L/∂Q."""
    dvectors = layer.vectors.new_empty(len(layer.mu), *layer.vectors.shape)
    dQ = _empty(*layer.Q.shape, like=layer.Q)
    layer.call("messages_backward", _padded(G), out=(dvectors, None, None, dQ))
    return dvectors, _cut(dQ, layer.Q.shape[3])


def messages_weights(G: Tensor, layer: Layer) -> tuple[Tensor, Tensor, Tensor]:
    """From G = ∂L/∂out: ∂L/∂μ, ∂L/∂σ and ∂L/∂Q."""
    dmu, dsigma = (layer.mu.new_empty(layer.mu.shape) for _ in range(2))
    dQ = _empty(*layer.Q.shape, like=layer.Q)
    layer.call("messages_backward", _padded(G), out=(None, dmu, dsigma, dQ))
    return dmu, dsigma, _cut(dQ, layer.Q.shape[3])


def messages_along(
    v: Tensor, w: Tensor, G: Tensor, layer: Layer
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Of ⟨v, ∂⟨G, out⟩/∂vectors⟩ + ⟨w, ∂⟨G, out⟩/∂Q⟩ the derivatives wrt G, μ, σ and Q.

    Args:
        v: (members, atoms, neighbours, 3).
        w: of the shape of Q.
        G: of the shape of out.
        layer: the layer.
    """
    features = layer.Q.shape[3]
    dG, dQ = _empty(*G.shape, like=G), _empty(*layer.Q.shape, like=layer.Q)
    dmu, dsigma = (layer.mu.new_empty(layer.mu.shape) for _ in range(2))
    layer.call("messages_along", _padded(G), v, _padded(w), out=(dG, dmu, dsigma, dQ))
    return _cut(dG, features), dmu, dsigma, _cut(dQ, features)


def _padded(tensor: Tensor) -> Tensor:
    """With zeros for features, up to whole registers."""
    missing = -tensor.shape[-1] % REGISTER
    return torch.nn.functional.pad(tensor, (0, missing)) if missing else tensor.contiguous()


def _empty(*shape: int, like: Tensor) -> Tensor:
    """Room for a tensor of this shape when its features are padded."""
    return like.new_empty(*shape[:-1], shape[-1] + -shape[-1] % REGISTER)


def _cut(tensor: Tensor, features: int) -> Tensor:
    """The features without the padding."""
    return tensor[..., :features].contiguous()
