"""The repulsion: a wall between two atoms at distances that no data show.

    E_i⁰ = w0[element] + ½ Σ_j U_ab(r_ij),   U_ab(r) = 1 eV · exp((σ - r)/λ) · s(r)
    s = 10y³ - 15y⁴ + 6y⁵,   y = (r_c - r) / (r_c - r_on), but between 0 and 1

a and b are the elements of i and j. Below r_on the wall is the pure exponential, so that its force
grows all the way to r = 0, where it is still finite; at r_c it is gone with its first two
derivatives. σ is where it is 1 eV high. All four are distances, fitted by ``repulsion_fit.py``
before training, then fixed, and always float64, as they occur in exponents.

What is left for the network to learn is the labels without the walls. This is plain PyTorch,
for the few pairs that are near enough; ``engines/cpu/repulsion.py`` is the kernel.
"""

import torch

from mlipkd.hipnn.batch import Batch


class PairRepulsion(torch.nn.Module):
    """The walls of each member, between all pairs of elements."""

    walls: torch.Tensor
    """(members, elements, elements, 4) float64, Å: σ, λ, r_on, r_c; all zero is no wall."""

    def __init__(self, members: int, elements: int) -> None:
        super().__init__()
        walls = torch.zeros(members, elements, elements, 4, dtype=torch.float64)
        self.register_buffer("walls", walls)

    def _apply(self, fn, recurse: bool = True):
        """Move or cast; the walls stay in float64."""
        walls = self.walls
        super()._apply(fn, recurse)
        self.walls = walls.to(self.walls.device)
        return self

    def forward(self, batch: Batch, vectors: torch.Tensor) -> torch.Tensor:
        """½ Σ_j U(r_ij) of every atom: (members, atoms) float64, eV.

        Args:
            batch: some configurations.
            vectors: (members, atoms, neighbours, 3), Å; the result is differentiable to any order.
        """
        receivers, slots, walls = self._near(batch, vectors[0])
        near = vectors[:, receivers, slots].double()  # (members, pairs, 3)
        energies = _wall(torch.linalg.vector_norm(near, dim=-1), walls)
        sums = energies.new_zeros(len(vectors), len(batch.elements))
        return sums.index_add(1, receivers, energies / 2)

    @torch.no_grad()
    def _near(
        self, batch: Batch, vectors: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The pairs within reach of a wall: receivers (pairs,), slots (pairs,) and walls (members,
        pairs, 4)."""
        x, y, z = vectors.unbind(-1)
        reach = self.walls[..., 3].max()
        receivers, slots = torch.nonzero(x * x + y * y + z * z < reach**2, as_tuple=True)
        starts = batch.bounds[receivers, 1:-1]  # (pairs, elements - 1), all but the first
        senders = (slots[:, None] >= starts).sum(1)  # (pairs,), their elements
        return receivers, slots, self.walls[:, batch.elements[receivers], senders]


def _wall(r: torch.Tensor, walls: torch.Tensor) -> torch.Tensor:
    """U, eV, of pairs at r, of the walls (…, 4) between them."""
    sigma, decay, on, range_ = walls.unbind(-1)
    y = ((range_ - r) / (range_ - on)).clamp(0, 1)
    return torch.exp((sigma - r) / decay) * y**3 * (10 - 15 * y + 6 * y**2)
