"""Radial sensitivities: how strongly an atom feels a neighbour at distance r.

    s_ν(r) = exp(-½ t_ν²) c(r),   t_ν = σ_ν (1/r - 1/μ_ν),   c(r) = cos²(π r / 2R) [r ≤ R]

(Lubbers 2018, Eq. 8; with the width in 1/r written as 1/σ, as hippynn evaluates it.) The cut-off c
is the same for all ν and all layers; the engines multiply it into the directions.

Surroundings: where the neighbours of each atom stand; what all interaction layers share.

T is 1, then the direction ĥ = (x, y, z), then the traceless tensor ĥ⊗ĥ - ⅓ in its entries
xx, xy, xz, yy, yz; zz follows from the others.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import torch

from mlipkd.hipnn.batch import Batch


class Sensitivity(torch.nn.Module):
    """The K Gaussian sensitivities of one interaction layer, μ_ν and σ_ν of each member."""

    def __init__(self, members: int, number: int, soft_min: float, soft_max: float) -> None:
        super().__init__()
        inverse = torch.linspace(1 / soft_max, 1 / soft_min, number, dtype=torch.float64)
        mu, sigma = (1 / inverse).float(), torch.full((number,), 2.0 * number * soft_min)
        self.mu = torch.nn.Parameter(mu.repeat(members, 1))  # (members, sensitivities), Å
        self.sigma = torch.nn.Parameter(sigma.repeat(members, 1))  # (members, sensitivities), Å


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
