"""The interaction layer: an atom's features from its neighbours' features and where they stand.

    G_{i,c,ν,a} = Σ_j T_c(ĥ_ij) s_ν(r_ij) z_{j,a}
    A_{i,c,f}   = Σ_{ν,a} V_{ν,f,a} G_{i,c,ν,a}
    out_{i,f}   = A_0 + τ1_f |A_vector| + τ2_f |A_quadrupole| + (W z_i)_f + b_f

(Chigaev 2023, Eqs. 4-9.) T is 1, then the direction ĥ = (x, y, z), then the traceless tensor
ĥ⊗ĥ - ⅓ in its entries xx, xy, xz, yy, yz; zz follows from the others. The cut-off c(r), a factor of
every s_ν, is multiplied into T instead. The sum can be carried out in two orders that differ by
rounding alone:

* the environment G first, where z has few columns (the first layer, one column per element);
* messages m_{ij,f} = Σ_ν s_ν(r_ij) Σ_a V_{ν,f,a} z_{j,a} first, where it has many.

| symbol | variable | shape |
|---|---|---|
| c T_c | `tensors` | (atoms, components, neighbours) |
| s_ν / c | `sensitivities` | (atoms, neighbours, sensitivities) |
| z | `features` | (atoms, in) |
| V | `V` | (sensitivities, out, in) |
| W, b | `W`, `b` | (out, in), (out,) |
| τ1, τ2 | `tau1`, `tau2` | (out,) |
| ε | `CUSP` | keeps the roots differentiable at zero |
"""

from typing import NamedTuple

import torch

from mlipkd.hipnn.sensitivity import Sensitivity, cutoff

CUSP = 1e-6


class Surroundings(NamedTuple):
    """Where the neighbours of each atom stand; what all interaction layers have in common."""

    distances: torch.Tensor  # (atoms, neighbours) Å
    tensors: torch.Tensor  # (atoms, components, neighbours), c(r) T_c
    senders: torch.Tensor  # (atoms, neighbours)
    reverse: torch.Tensor  # (atoms * neighbours,)


def surroundings(
    vectors: torch.Tensor,
    senders: torch.Tensor,
    reverse: torch.Tensor,
    l_max: int,
    hard_max: float,
) -> Surroundings:
    """Distances and direction tensors of all pairs, from vectors (atoms, neighbours, 3)."""
    distances = torch.linalg.vector_norm(vectors, dim=-1)  # (atoms, neighbours)
    components = [torch.ones_like(distances)]
    if l_max >= 1:
        x, y, z = (vectors / distances[..., None]).unbind(-1)  # (atoms, neighbours) each
        components += [x, y, z]
    if l_max == 2:
        third = (x * x + y * y + z * z) / 3
        components += [x * x - third, x * y, x * z, y * y - third, y * z]
    tensors = torch.stack(components, dim=1) * cutoff(distances, hard_max)[:, None]
    return Surroundings(distances, tensors, senders, reverse)


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
        sensitivities = self.sensitivity(around.distances)  # (atoms, neighbours, sensitivities)
        mix = self._environment_first if self.one_hot else self._messages_first
        A = mix(features, sensitivities, around)  # (atoms, components, out)

        out = A[:, 0] + torch.nn.functional.linear(features, self.W, self.b)  # (atoms, out)
        if self.l_max >= 1:
            square = (A[:, 1:4] ** 2).sum(1)
            out = out + self.tau1 * torch.sqrt(square + CUSP)
        if self.l_max == 2:
            # Frobenius norm of the tensor; the product stands for the entry zz = -(xx + yy)
            square = 2 * ((A[:, 4:9] ** 2).sum(1) + A[:, 4] * A[:, 7])
            out = out + self.tau2 * torch.sqrt(square + CUSP)
        return out

    def _environment_first(
        self, features: torch.Tensor, sensitivities: torch.Tensor, around: Surroundings
    ) -> torch.Tensor:
        atoms, components, neighbours = around.tensors.shape
        n_in = features.shape[1]
        if n_in == 1:  # one element: z is 1 everywhere
            weighted = around.tensors
        else:
            of_senders = features[around.senders].mT.contiguous()  # (atoms, in, neighbours)
            weighted = around.tensors[:, :, None] * of_senders[:, None]
            weighted = weighted.view(atoms, components * n_in, neighbours)
        G = torch.bmm(weighted, sensitivities)  # (atoms, components * in, sensitivities)
        V = self.V.permute(2, 0, 1).flatten(0, 1)  # (in * sensitivities, out)
        return (G.view(atoms * components, -1) @ V).view(atoms, components, -1)

    def _messages_first(
        self, features: torch.Tensor, sensitivities: torch.Tensor, around: Surroundings
    ) -> torch.Tensor:
        atoms, _, number = sensitivities.shape
        Q = features @ self.V.permute(2, 0, 1).flatten(1)  # (atoms, sensitivities * out)
        # r_ij = r_ji, so the sensitivities of a row are those of what its atom sends, too.
        sent = torch.bmm(sensitivities, Q.view(atoms, number, -1))  # (atoms, neighbours, out)
        received = Exchange.apply(sent.flatten(0, 1), around.reverse)  # (atoms * neighbours, out)
        return torch.bmm(around.tensors, received.view_as(sent))
