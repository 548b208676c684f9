"""The interaction layer: an atom's features from its neighbours' features and positions.

    G_{i,c,ν,a} = Σ_j T_c(ĥ_ij) s_ν(r_ij) z_{j,a}
    A_{i,c,f}   = Σ_{ν,a} V_{ν,f,a} G_{i,c,ν,a}
    out_{i,f}   = A_0 + τ1_f |A_vector| + τ2_f |A_quadrupole| + (W z_i)_f + b_f

(Chigaev 2023, Eqs. 4-9.) The sum is carried out in one of two orders, which agree up to rounding:

* the environment G first, where z is one-hot: then G is a sum over the neighbours of each element;
* messages m_{ij,f} = Σ_ν s_ν(r_ij) Σ_a V_{ν,f,a} z_{j,a} first, where z has many columns.

| symbol | variable | shape |
|---|---|---|
| z | `features` | (members, atoms, in) |
| V | `V` | (members, sensitivities, out, in) |
| W, b | `W`, `b` | (members, out, in), (members, out) |
| τ1, τ2 | `tau1`, `tau2` | (members, out) |
"""

import torch

from mlipkd.hipnn.surroundings import Sensitivity, Surroundings

#: ε below the roots of the norms, which keeps them differentiable at zero.
CUSP = 1e-6


class Interaction(torch.nn.Module):
    """One interaction layer, without the residual connection around it."""

    tau1: torch.nn.Parameter | None
    tau2: torch.nn.Parameter | None

    def __init__(
        self, n_in: int, n_out: int, l_max: int, one_hot: bool, sensitivity: Sensitivity
    ) -> None:
        super().__init__()
        members, number = sensitivity.mu.shape
        self.one_hot = one_hot
        self.sensitivity = sensitivity
        self.V = torch.nn.Parameter(torch.empty(members, number, n_out, n_in))
        self.W = torch.nn.Parameter(torch.empty(members, n_out, n_in))
        self.b = torch.nn.Parameter(torch.empty(members, n_out))
        for order, name in ((1, "tau1"), (2, "tau2")):
            tau = torch.nn.Parameter(torch.empty(members, n_out)) if l_max >= order else None
            self.register_parameter(name, tau)

    def forward(self, features: torch.Tensor, around: Surroundings) -> torch.Tensor:
        """Features (members, atoms, in) → (members, atoms, out)."""
        members, number, n_out, _ = self.V.shape
        if self.one_hot:
            G = around.environment(self.sensitivity)
            V = self.V.permute(0, 3, 1, 2).flatten(1, 2)  # (members, in * sensitivities, out)
            A = torch.bmm(G.flatten(3).flatten(1, 2), V)
        else:
            V = self.V.permute(0, 3, 1, 2).flatten(2)  # (members, in, sensitivities * out)
            Q = torch.bmm(features, V)
            A = around.messages(self.sensitivity, Q.view(members, -1, number, n_out))
        A = A.view(members, -1, around.components, n_out)
        out = A[:, :, 0] if self.tau1 is None else norms(A, self.tau1, self.tau2)
        return torch.baddbmm(out, features, self.W.mT) + self.b[:, None]


def norms(A: torch.Tensor, tau1: torch.Tensor, tau2: torch.Tensor | None) -> torch.Tensor:
    """A_0 + τ1 |A_vector| + τ2 |A_quadrupole|: (members, atoms, out).

    Args:
        A: (members, atoms, components, out), 4 or 9 components.
        tau1: (members, out).
        tau2: (members, out); none where there are no quadrupoles.
    """
    square = (A[:, :, 1:4] ** 2).sum(2)  # (members, atoms, out)
    out = A[:, :, 0] + tau1[:, None] * torch.sqrt(square + CUSP)
    if tau2 is not None:
        # Frobenius norm of the tensor; the product stands for the entry zz = -(xx + yy)
        square = 2 * ((A[:, :, 4:9] ** 2).sum(2) + A[:, :, 4] * A[:, :, 7])
        out = out + tau2[:, None] * torch.sqrt(square + CUSP)
    return out
