"""Surroundings: where the neighbours of each atom stand; what all interaction layers share.

    T is 1, then the direction ĥ = (x, y, z), then the traceless tensor ĥ⊗ĥ - ⅓ in its entries
    xx, xy, xz, yy, yz; zz follows from the others.

The cut-off c(r), a factor of every sensitivity, is multiplied into T. The environment

    env[i, c, a, ν] = Σ_j of element a  c(r) T_c(ĥ_ij) exp(-½ t_ν²)

is summed by a compiled kernel on the CPU, if there is one, or by a matrix product for each atom:
the reference, which is differentiable to any order.
"""

import os
from dataclasses import dataclass
from functools import cached_property

import torch

from mlipkd.errors import InputError
from mlipkd.hipnn.batch import Batch
from mlipkd.hipnn.kernels.environment import environment, library
from mlipkd.hipnn.sensitivity import Sensitivity, cutoff

ENGINES = ("reference", "cpu")


def choose_engine(device: torch.device | str) -> str:
    """The fastest engine there is for a device, or the one that MLIPKD_ENGINE names.

    Raises:
        InputError: an engine that is not known or not built.
    """
    built = torch.device(device).type == "cpu" and library() is not None
    wanted = os.environ.get("MLIPKD_ENGINE", "cpu" if built else "reference")
    if wanted not in ENGINES or (wanted == "cpu" and not built):
        raise InputError(
            f"MLIPKD_ENGINE: wanted one of {', '.join(ENGINES[: 1 + built])} on this machine, got "
            f"{wanted!r}; unset it, or install mlipkd where there is a C++ compiler"
        )
    return wanted


@dataclass
class Surroundings:
    """The neighbours of the atoms of a batch."""

    batch: Batch
    l_max: int
    hard_max: float
    engine: str

    @property
    def components(self) -> int:
        """Entries of T: 1, 4 or 9."""
        return (self.l_max + 1) ** 2

    @cached_property
    def distances(self) -> torch.Tensor:
        """r of each pair: (atoms, neighbours), Å."""
        return torch.linalg.vector_norm(self.batch.vectors, dim=-1)

    @cached_property
    def tensors(self) -> torch.Tensor:
        """c(r) T_c of each pair: (atoms, components, neighbours)."""
        components = [torch.ones_like(self.distances)]
        if self.l_max >= 1:
            x, y, z = (self.batch.vectors / self.distances[..., None]).unbind(-1)
            components += [x, y, z]
        if self.l_max == 2:
            third = (x * x + y * y + z * z) / 3
            components += [x * x - third, x * y, x * z, y * y - third, y * z]
        return torch.stack(components, dim=1) * cutoff(self.distances, self.hard_max)[:, None]

    def environment(self, sensitivity: Sensitivity) -> torch.Tensor:
        """env: (atoms, components, elements, sensitivities)."""
        if self.engine == "cpu":
            mu, sigma = sensitivity.mu, sensitivity.sigma
            vectors, bounds = self.batch.vectors, self.batch.bounds
            return environment(vectors, bounds, mu, sigma, self.hard_max, self.components)
        atoms, components, neighbours = self.tensors.shape
        slots = torch.arange(neighbours, device=self.tensors.device)
        bounds = self.batch.bounds[..., None]  # (atoms, elements + 1, 1)
        of_element = (bounds[:, :-1] <= slots) & (slots < bounds[:, 1:])
        weighted = self.tensors[:, :, None] * of_element[:, None]
        weighted = weighted.flatten(1, 2)  # (atoms, components * elements, neighbours)
        env = torch.bmm(weighted, sensitivity(self.distances))
        return env.view(atoms, components, -1, env.shape[-1])
