"""Surroundings: where the neighbours of each atom stand; what all interaction layers share.

T is 1, then the direction ĥ = (x, y, z), then the traceless tensor ĥ⊗ĥ - ⅓ in its entries
xx, xy, xz, yy, yz; zz follows from the others.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import torch

from mlipkd.hipnn.batch import Batch


@dataclass
class Surroundings:
    """The neighbours of the atoms of a batch, as each member of an ensemble sees them.

    All members see the same; that each has vectors of its own gives each derivatives of its own.
    """

    batch: Batch
    vectors: torch.Tensor  # (members, atoms, neighbours, 3) Å, an expanded view of the batch's
    l_max: int
    hard_max: float

    @property
    def components(self) -> int:
        """Entries of T: 1, 4 or 9."""
        return (self.l_max + 1) ** 2

    @cached_property
    def distances(self) -> torch.Tensor:
        """r of each pair: (members, atoms, neighbours), Å."""
        return torch.linalg.vector_norm(self.vectors, dim=-1)

    @cached_property
    def tensors(self) -> torch.Tensor:
        """c(r) T_c of each pair: (members, atoms, components, neighbours)."""
        components = [torch.ones_like(self.distances)]
        if self.l_max >= 1:
            x, y, z = (self.vectors / self.distances[..., None]).unbind(-1)
            components += [x, y, z]
        if self.l_max == 2:
            third = (x * x + y * y + z * z) / 3
            components += [x * x - third, x * y, x * z, y * y - third, y * z]
        return torch.stack(components, dim=2) * cutoff(self.distances, self.hard_max)[:, :, None]


def cutoff(distances: torch.Tensor, hard_max: float) -> torch.Tensor:
    """c(r), of the shape of ``distances``."""
    cosine = torch.cos(distances * (math.pi / (2 * hard_max)))
    return torch.where(distances <= hard_max, cosine**2, 0)
