"""Radial sensitivities: how strongly an atom feels a neighbour at distance r.

    s_ν(r) = exp(-½ t_ν²) c(r),   t_ν = σ_ν (1/r - 1/μ_ν),   c(r) = cos²(π r / 2R) [r ≤ R]

(Lubbers 2018, Eq. 8; with the width in 1/r written as 1/σ, as hippynn evaluates it.) The cut-off c
is the same for all ν and all layers, so the layers share it; the module has the Gaussians.

| symbol | variable | |
|---|---|---|
| r | `distances` | (atoms, neighbours), Å |
| μ_ν | `mu` | centre of sensitivity ν, Å |
| σ_ν | `sigma` | inverse width in 1/r, Å |
| R | `hard_max` | cut-off, Å |
"""

import math

import torch


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


class Sensitivity(torch.nn.Module):
    """The K Gaussian sensitivities of one interaction layer."""

    def __init__(self, number: int, soft_min: float, soft_max: float) -> None:
        super().__init__()
        inverse = torch.linspace(1 / soft_max, 1 / soft_min, number, dtype=torch.float64)
        self.mu = torch.nn.Parameter((1 / inverse).float())  # (sensitivities,)
        self.sigma = torch.nn.Parameter(torch.full((number,), 2.0 * number * soft_min))

    def forward(self, distances: torch.Tensor) -> torch.Tensor:
        """exp(-½ t_ν²) of each pair: (atoms, neighbours, sensitivities)."""
        # As a linear map of 1/r, all derivatives of t are matrix products.
        t = torch.nn.functional.linear(
            1 / distances[..., None], self.sigma[:, None], -self.sigma / self.mu
        )
        return Gaussian.apply(t)  # (atoms, neighbours, sensitivities)
