"""The environment of the first layer and its derivatives, by a compiled kernel.

    env[m, i, c, a, ν] = Σ_j of element a  c(r) T_c(ĥ_ij) exp(-½ t_mν²)

for the members m of an ensemble. Each function is a pass over the pairs that stores nothing of
their number times sensitivities.

| symbol | variable | shape |
|---|---|---|
| R_j - R_i | `vectors` | (atoms, neighbours, 3), Å, an atom's neighbours sorted by element |
| a | `bounds` | (atoms, elements + 1) int32, where each element's neighbours start |
| μ_ν, σ_ν | `mu`, `sigma` | (members, sensitivities), Å |
| R | `hard_max` | cut-off, Å |
| | `components` | 1, 4 or 9 for l_max 0, 1 or 2 |
"""

from typing import NamedTuple

import torch
from torch import Tensor

from mlipkd.hipnn.engines.cpu.library import call


class Layer(NamedTuple):
    """What the environment of a layer is a function of; see above."""

    vectors: Tensor
    bounds: Tensor
    mu: Tensor
    sigma: Tensor
    hard_max: float
    components: int

    def call(self, name: str, *arrays: Tensor, out: tuple[Tensor | None, ...]) -> None:
        """Call a kernel, which fills ``out`` from the layer and more arrays."""
        vectors, bounds, mu = self.vectors, self.bounds, self.mu
        sizes = (*vectors.shape[:2], len(mu), bounds.shape[1] - 1, mu.shape[1], self.components)
        layer = (tensor.contiguous() for tensor in self[:4])
        given = (*layer, self.hard_max, *(array.contiguous() for array in arrays))
        call(name, vectors.dtype, *sizes, *given, torch.get_num_threads(), *out)


def environment(layer: Layer) -> Tensor:
    """env: (members, atoms, components, elements, sensitivities)."""
    members, number = layer.mu.shape
    elements = layer.bounds.shape[1] - 1
    atoms = len(layer.vectors)
    env = layer.vectors.new_empty(members, atoms, layer.components, elements, number)
    layer.call("environment", out=(env,))
    return env


def environment_backward(G: Tensor, layer: Layer) -> Tensor:
    """From G = ∂L/∂env: ∂L/∂vectors, (members, atoms, neighbours, 3)."""
    dvectors = layer.vectors.new_empty(len(layer.mu), *layer.vectors.shape)
    if dvectors.numel():
        layer.call("environment_backward", G, out=(dvectors, None, None))
    return dvectors


def environment_weights(G: Tensor, layer: Layer) -> tuple[Tensor, Tensor]:
    """From G = ∂L/∂env: ∂L/∂μ and ∂L/∂σ, (members, sensitivities) each."""
    dmu, dsigma = (layer.mu.new_zeros(layer.mu.shape) for _ in range(2))
    if layer.vectors.numel():
        layer.call("environment_backward", G, out=(None, dmu, dsigma))
    return dmu, dsigma


def environment_along(v: Tensor, G: Tensor, layer: Layer) -> tuple[Tensor, Tensor, Tensor]:
    """Of ⟨v, ∂⟨G, env⟩/∂vectors⟩ the derivatives with respect to G, μ and σ.

    Args:
        v: (members, atoms, neighbours, 3).
        G: of the shape of env.
        layer: the layer.
    """
    dG, dmu, dsigma = (like.new_empty(like.shape) for like in (G, layer.mu, layer.mu))
    layer.call("environment_along", G, v, out=(dG, dmu, dsigma))
    return dG, dmu, dsigma
