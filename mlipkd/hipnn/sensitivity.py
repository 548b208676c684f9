"""Radial sensitivities: how strongly an atom feels a neighbour at distance r.

    s_ν(r) = exp(-½ t_ν²) c(r),   t_ν = σ_ν (1/r - 1/μ_ν),   c(r) = cos²(π r / 2R) [r ≤ R]

(Lubbers 2018, Eq. 8; with the width in 1/r written as 1/σ, as hippynn evaluates it.) The cut-off c
is the same for all ν and all layers; the engines multiply it into the directions.
"""

import torch


class Sensitivity(torch.nn.Module):
    """The K Gaussian sensitivities of one interaction layer, μ_ν and σ_ν of each member."""

    def __init__(self, members: int, number: int, soft_min: float, soft_max: float) -> None:
        super().__init__()
        inverse = torch.linspace(1 / soft_max, 1 / soft_min, number, dtype=torch.float64)
        mu, sigma = (1 / inverse).float(), torch.full((number,), 2.0 * number * soft_min)
        self.mu = torch.nn.Parameter(mu.repeat(members, 1))  # (members, sensitivities), Å
        self.sigma = torch.nn.Parameter(sigma.repeat(members, 1))  # (members, sensitivities), Å
