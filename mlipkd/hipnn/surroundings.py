"""Surroundings: where the neighbours of each atom stand, and the sums over them in plain PyTorch.

    s_ν(r) = exp(-½ t_ν²) c(r),   t_ν = σ_ν (1/r - 1/μ_ν),   c(r) = cos²(π r / 2R) [r ≤ R]

are the radial sensitivities: how strongly an atom feels a neighbour at distance r (Lubbers 2018,
Eq. 8; with the width in 1/r written as 1/σ, as hippynn evaluates it). The directions are T: 1, then
ĥ = (x, y, z), then the traceless tensor ĥ⊗ĥ - ⅓ in its entries xx, xy, xz, yy, yz; zz follows from
the others. The cut-off c is the same for all ν and all layers and is multiplied into T.

| symbol | variable | shape |
|---|---|---|
| R_j - R_i | `vectors` | (members, atoms, neighbours, 3), Å |
| r | `distances` | (members, atoms, neighbours), Å |
| c T | `tensors` | (members, atoms, components, neighbours) |
| exp(-½ t_ν²) | `gaussians` | (members, atoms, neighbours, sensitivities) |
| R | `hard_max` | cut-off, Å |
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

    All members see the same vectors; a copy for each member gives each its own derivatives. An
    engine whose sums over neighbours are kernels has a subclass.
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

    def gaussians(self, sensitivity: Sensitivity) -> torch.Tensor:
        """exp(-½ t_ν²) of each pair: (members, atoms, neighbours, sensitivities)."""
        mu, sigma = (weights[:, None, None] for weights in (sensitivity.mu, sensitivity.sigma))
        return Gaussian.apply(sigma * (1 / self.distances[..., None] - 1 / mu))

    def environment(self, sensitivity: Sensitivity) -> torch.Tensor:
        """Σ_{j of element a} c(r) T_c(ĥ_ij) exp(-½ t_ν²).

        Returns:
            (members, atoms, components, elements, sensitivities).
        """
        members, atoms, components, neighbours = self.tensors.shape
        slots = torch.arange(neighbours, device=self.tensors.device)
        bounds = self.batch.bounds[..., None]  # (atoms, elements + 1, 1)
        of_element = (bounds[:, :-1] <= slots) & (slots < bounds[:, 1:])  # (atoms, elements, slots)
        weighted = self.tensors[:, :, :, None] * of_element[:, None]
        env = weighted.flatten(2, 3) @ self.gaussians(sensitivity)
        return env.view(members, atoms, components, -1, env.shape[-1])

    def messages(self, sensitivity: Sensitivity, Q: torch.Tensor) -> torch.Tensor:
        """Σ_j c(r) T_c(ĥ_ij) Σ_ν exp(-½ t_ν²) Q_jν.

        Args:
            sensitivity: μ and σ of the layer.
            Q: what each atom sends, (members, atoms, sensitivities, out).

        Returns:
            (members, atoms, components, out).
        """
        # r_ij = r_ji, so the sensitivities of a row are those of what its atom sends, too.
        sent = self.gaussians(sensitivity) @ Q  # (members, atoms, neighbours, out)
        received = Exchange.apply(sent.flatten(1, 2), self.batch.reverse)
        return self.tensors @ received.view_as(sent)


def cutoff(distances: torch.Tensor, hard_max: float) -> torch.Tensor:
    """c(r), of the shape of ``distances``."""
    cosine = torch.cos(distances * (math.pi / (2 * hard_max)))
    return torch.where(distances <= hard_max, cosine**2, 0)


class Gaussian(torch.autograd.Function):
    """exp(-½ t²), with its derivative -t exp(-½ t²) in as few passes over the pairs as it takes."""

    @staticmethod
    def forward(ctx, t: torch.Tensor) -> torch.Tensor:
        gaussian = torch.square(t).mul_(-0.5).exp_()
        ctx.save_for_backward(t, gaussian)
        return gaussian

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> torch.Tensor:
        t, gaussian = ctx.saved_tensors
        return -(t * gaussian) * gradient


class Exchange(torch.autograd.Function):
    """Rows in the order of the reverse pairs: what was sent becomes what is received.

    The permutation is its own inverse, so its derivative is the same gather, without a scatter.
    That derivative is PyTorch's own operator: it can be differentiated in turn where the columns of
    a Hessian are made together (``is_grads_batched``), where a function of ours cannot.
    """

    @staticmethod
    def forward(ctx, rows: torch.Tensor, reverse: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(reverse)
        return rows.index_select(1, reverse)

    @staticmethod
    def backward(ctx, gradient: torch.Tensor):
        (reverse,) = ctx.saved_tensors
        return gradient.index_select(1, reverse), None
