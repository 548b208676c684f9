"""Curvature: products of the Hessian with vectors, and whole Hessians, through the pair vectors.

When each atom i moves along v_i, the pair vectors d_ij change by u_ij = v_j - v_i. With the pair
gradient g_ij = ∂E/∂d_ij, differentiated once more,

    k_ij = ∂/∂d_ij Σ_kl g_kl · u_kl        (H v)_i = Σ_j (k_ji - k_ij)

A product is two backward passes whatever the number of atoms, and no Hessian is made (B. A.
Pearlmutter, Neural Comput. 6, 147 (1994), doi 10.1162/neco.1994.6.1.147). A Hessian is its
products with the 3n unit vectors, several of them in one pass. The kernels of other engines have no
such derivatives: these are always the reference engine's.

Where a neighbour crosses the cut-off, c(r) = cos²(π r / 2R) has a second derivative that jumps by
π² / 2R², and the Hessian jumps with it; forces don't. The norms are smooth, by the CUSP in their
roots: near a vanishing |A| they curve by up to τ / √CUSP.
"""

from collections.abc import Iterator

import torch

from mlipkd.hipnn.batch import Batch
from mlipkd.hipnn.derivatives import forces
from mlipkd.hipnn.engines.reference import pair_gradient
from mlipkd.hipnn.network import HIPNN

#: Numbers that a pass over several columns of Hessians holds of one kind, by a rough count.
BUDGET = 2_000_000


class Curvature:
    """What second derivatives with respect to positions start from: a batch's pair gradient."""

    def __init__(self, model: HIPNN, batch: Batch, training: bool) -> None:
        """Evaluate the model.

        Args:
            model: the members.
            batch: some configurations.
            training: whether all that follows can be differentiated with respect to the weights.
        """
        self._batch, self._training = batch, training
        around = model.surroundings(batch, derivatives=True)
        self._vectors = around.vectors
        with torch.enable_grad():
            orders = model(around)
            self._gradient = pair_gradient(orders, around, graph=True)
        self.orders = orders if training else orders.detach()
        """E_iⁿ: (members, atoms, N_int + 1) float64, eV."""
        self.gradient = self._gradient if training else self._gradient.detach()
        """∂E/∂d_ij: (members, atoms, neighbours, 3), eV/Å."""
        shape = model.architecture
        held = self._vectors[..., 0].numel() * (shape.sensitivities + shape.width)
        self._places_at_once = max(1, BUDGET // (3 * held + 1))

    def product(self, v: torch.Tensor) -> torch.Tensor:
        """H v: (members, atoms, 3), eV/Å² times the unit of v.

        Args:
            v: (atoms, 3), a vector of each configuration.
        """
        changes = self._changes(v).expand_as(self._gradient)
        (k,) = torch.autograd.grad(
            self._gradient,
            self._vectors,
            changes,
            create_graph=self._training,
            retain_graph=True,
        )
        return -forces(k, self._batch)

    def blocks(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """The blocks ∂²E/∂R_i∂R_j of all pairs (i, j) of atoms of one configuration.

        Several atoms j of each configuration at a time, as many as the budget holds.

        Returns:
            Of each time: (some pairs,), which rows they are of ``pairs_of``; and (members, some
            pairs, 3, 3), eV/Å².
        """
        batch, members = self._batch, len(self.gradient)
        firsts = batch.sizes.cumsum(0) - batch.sizes  # (systems,)
        places = torch.arange(len(batch.systems), device=firsts.device) - firsts[batch.systems]
        receivers, senders = pairs_of(batch)
        axes = torch.eye(3, device=places.device, dtype=self.gradient.dtype)
        for chosen in torch.arange(int(batch.sizes.max()), device=places.device).split(
            self._places_at_once
        ):
            moves = (places == chosen[:, None]).to(axes.dtype)  # (places, atoms)
            v = torch.einsum("pi,ab->paib", moves, axes).flatten(0, 1)  # (columns, atoms, 3)
            changes = self._changes(v)[:, None].expand(-1, *self.gradient.shape)
            (k,) = torch.autograd.grad(
                self._gradient,
                self._vectors,
                changes,
                create_graph=self._training,
                retain_graph=True,
                is_grads_batched=True,
            )
            columns = -forces(k.flatten(0, 1), batch)
            columns = columns.view(len(chosen), 3, members, -1, 3)
            place = places[senders] - chosen[0]  # (pairs,)
            rows = torch.nonzero((place >= 0) & (place < len(chosen)))[:, 0]
            blocks = columns[place[rows], :, :, receivers[rows]]  # (rows, 3 of j, members, 3 of i)
            yield rows, blocks.permute(2, 0, 3, 1)

    def _changes(self, v: torch.Tensor) -> torch.Tensor:
        """u_ij of v (…, atoms, 3): (…, atoms, neighbours, 3)."""
        v = v.to(self.gradient.dtype)
        return v[..., self._batch.senders, :] - v[..., None, :]


def hessians(model: HIPNN, batch: Batch) -> torch.Tensor:
    """The Hessian of each configuration as blocks of its pairs of atoms: (members, pairs, 3, 3).

    Row i·n + j of a configuration of n atoms is ∂²E/∂R_i∂R_j, eV/Å².
    """
    hessians = model.w.new_empty(model.members, int((batch.sizes**2).sum()), 3, 3)
    for rows, blocks in Curvature(model, batch, training=False).blocks():
        hessians[:, rows] = blocks
    return hessians


def pairs_of(batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """The atoms i and j of each row of a Hessian: (pairs,) and (pairs,) int64."""
    lengths = batch.sizes[batch.systems]  # (atoms,)
    atoms = torch.arange(len(lengths), device=lengths.device)
    i = torch.repeat_interleave(atoms, lengths)
    firsts = (batch.sizes.cumsum(0) - batch.sizes)[batch.systems]  # (atoms,)
    starts = lengths.cumsum(0) - lengths  # (atoms,)
    return i, torch.arange(len(i), device=i.device) + (firsts - starts)[i]


def multiply(blocks: torch.Tensor, v: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Given Hessians times vectors: (atoms, 3).

    Args:
        blocks: (pairs, 3, 3), in the rows of ``pairs_of``.
        v: (atoms, 3), a vector of each configuration.
        batch: the configurations.
    """
    i, j = pairs_of(batch)
    return torch.zeros_like(v).index_add(0, i, (blocks @ v[j, :, None])[..., 0])
