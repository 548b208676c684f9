"""Initial weights, which depend on nothing but the seed and the architecture.

A student and its control of one seed therefore start from identical weights. The rules are those of
hippynn 0.1.3: Xavier's normal distribution for what mixes features, uniform ±1/√in for biases and
outer layers, a standard normal distribution for τ, and heads scaled by 10⁻², 10⁻⁴, … so that the
energy starts as that of the elements.
"""

import math
from collections.abc import Iterable

import numpy as np
import torch

from mlipkd.datasets.dataset import Dataset, composition, element_energies
from mlipkd.hipnn.interaction import Interaction
from mlipkd.hipnn.network import HIPNN

HEAD_SCALE = 1e-2


def initialise(model: HIPNN, seed: int) -> None:
    """Set all weights of a single model except the element energies."""
    generator = torch.Generator().manual_seed(seed)

    def uniform(weights: torch.Tensor, n_in: int) -> None:
        bound = 1 / math.sqrt(n_in)
        torch.nn.init.uniform_(weights, -bound, bound, generator=generator)

    def xavier(weights: torch.Tensor) -> None:
        (single,) = weights  # the rule counts the dimensions of one member's weights
        torch.nn.init.xavier_normal_(single, generator=generator)

    for layer in model.layers:
        base, width = layer.base, layer.outer.weight.shape[2]
        if isinstance(base, Interaction):
            n_in = base.W.shape[2]
            xavier(base.V)
            xavier(base.W)
            uniform(base.b, n_in)
            for tau in (tau for tau in (base.tau1, base.tau2) if tau is not None):
                torch.nn.init.normal_(tau, generator=generator)
        else:
            n_in = base.weight.shape[2]
            xavier(base.weight)
            uniform(base.bias, n_in)
        uniform(layer.outer.weight, width)
        uniform(layer.outer.bias, width)
        if hasattr(layer, "skip"):
            uniform(layer.skip.weight, n_in)
    scale = HEAD_SCALE
    for w, b in zip(model.w.detach()[0], model.b.detach()[0], strict=True):
        for weights in (w, b):
            uniform(weights, len(w))
            weights *= scale
        scale *= scale


def fit_element_energies(model: HIPNN, parts: Iterable[Dataset]) -> None:
    """Set E⁰ of a single model to the fit of the reference energies on composition, in float64.

    Args:
        model: its species are those of the parts.
        parts: of a dataset; only one at a time is in memory.
    """
    rows = [
        (composition(part, model.species), part.labels["reference"]["energy"]) for part in parts
    ]
    counts = np.concatenate([count for count, _ in rows])  # (configurations, elements)
    energies = np.concatenate([energy for _, energy in rows])  # (configurations,)
    fitted, _ = element_energies(counts, energies)
    model.E0.copy_(torch.from_numpy(fitted)[None])
