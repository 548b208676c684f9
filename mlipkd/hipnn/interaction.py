"""The interaction layer: an atom's features from its neighbours' features and where they stand.

    G_{i,c,ν,a} = Σ_j T_c(ĥ_ij) s_ν(r_ij) z_{j,a}
    A_{i,c,f}   = Σ_{ν,a} V_{ν,f,a} G_{i,c,ν,a}
    out_{i,f}   = A_0 + τ1_f |A_vector| + τ2_f |A_quadrupole| + (W z_i)_f + b_f

(Chigaev 2023, Eqs. 4-9.) The sum is carried out in one of two orders that differ by rounding alone:

* the environment G first, where z is one-hot: then G is a sum over the neighbours of each element;
* messages m_{ij,f} = Σ_ν s_ν(r_ij) Σ_a V_{ν,f,a} z_{j,a} first, where z has many columns.

| symbol | variable | shape |
|---|---|---|
| c T_c | `around.tensors` | (atoms, components, neighbours) |
| s_ν / c | `sensitivities` | (atoms, neighbours, sensitivities) |
| z | `features` | (atoms, in) |
| V | `V` | (sensitivities, out, in) |
| W, b | `W`, `b` | (out, in), (out,) |
| τ1, τ2 | `tau1`, `tau2` | (out,) |
| ε | `CUSP` | keeps the roots differentiable at zero |
"""

import torch

from mlipkd.hipnn.sensitivity import Sensitivity
from mlipkd.hipnn.surroundings import Surroundings

CUSP = 1e-6


class Exchange(torch.autograd.Function):
    """Rows in the order of the reverse pairs: what was sent becomes what is received.

    The permutation is its own inverse, so its derivative is the same gather, without a scatter.
    """

    @staticmethod
    def forward(ctx, rows: torch.Tensor, reverse: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(reverse)
        return rows.index_select(0, reverse)

    @staticmethod
    def backward(ctx, gradient: torch.Tensor):
        (reverse,) = ctx.saved_tensors
        return Exchange.apply(gradient.contiguous(), reverse), None


class Interaction(torch.nn.Module):
    """One interaction layer, without the residual connection around it."""

    def __init__(
        self, n_in: int, n_out: int, l_max: int, one_hot: bool, sensitivity: Sensitivity
    ) -> None:
        super().__init__()
        number = len(sensitivity.mu)
        self.l_max, self.one_hot = l_max, one_hot
        self.sensitivity = sensitivity
        self.V = torch.nn.Parameter(torch.empty(number, n_out, n_in))
        self.W = torch.nn.Parameter(torch.empty(n_out, n_in))
        self.b = torch.nn.Parameter(torch.empty(n_out))
        if l_max >= 1:
            self.tau1 = torch.nn.Parameter(torch.empty(n_out))
        if l_max == 2:
            self.tau2 = torch.nn.Parameter(torch.empty(n_out))

    def forward(self, features: torch.Tensor, around: Surroundings) -> torch.Tensor:
        """Features (atoms, in) → (atoms, out)."""
        if self.one_hot:
            A = self._environment_first(around)  # (atoms, components, out)
        else:
            A = self._messages_first(features, around)
        out = A[:, 0] + torch.nn.functional.linear(features, self.W, self.b)  # (atoms, out)
        if self.l_max >= 1:
            square = (A[:, 1:4] ** 2).sum(1)
            out = out + self.tau1 * torch.sqrt(square + CUSP)
        if self.l_max == 2:
            # Frobenius norm of the tensor; the product stands for the entry zz = -(xx + yy)
            square = 2 * ((A[:, 4:9] ** 2).sum(1) + A[:, 4] * A[:, 7])
            out = out + self.tau2 * torch.sqrt(square + CUSP)
        return out

    def _environment_first(self, around: Surroundings) -> torch.Tensor:
        G = around.environment(self.sensitivity)  # (atoms, components, in, sensitivities)
        V = self.V.permute(2, 0, 1).flatten(0, 1)  # (in * sensitivities, out)
        return (G.flatten(2).flatten(0, 1) @ V).view(*G.shape[:2], -1)

    def _messages_first(self, features: torch.Tensor, around: Surroundings) -> torch.Tensor:
        sensitivities = self.sensitivity(around.distances)  # (atoms, neighbours, sensitivities)
        atoms, _, number = sensitivities.shape
        Q = features @ self.V.permute(2, 0, 1).flatten(1)  # (atoms, sensitivities * out)
        # r_ij = r_ji, so the sensitivities of a row are those of what its atom sends, too.
        sent = torch.bmm(sensitivities, Q.view(atoms, number, -1))  # (atoms, neighbours, out)
        received = Exchange.apply(sent.flatten(0, 1), around.batch.reverse)
        return torch.bmm(around.tensors, received.view_as(sent))
