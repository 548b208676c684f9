"""The repulsion's part of energies and pair gradient, by a compiled kernel."""

import torch
from torch import Tensor

from mlipkd.hipnn.batch import Batch
from mlipkd.hipnn.engines.cpu.library import call


def add(walls: Tensor, batch: Batch, orders: Tensor, gradient: Tensor | None) -> None:
    """Add the walls to E_i⁰ and to the pair gradient, in place.

    Args:
        walls: (members, elements, elements, 4) float64, Å; see ``PairRepulsion``.
        batch: some configurations.
        orders: E_iⁿ, (members, atoms, N_int + 1) float64, eV.
        gradient: (members, atoms, neighbours, 3), eV/Å, or none.
    """
    atoms, width, _ = batch.vectors.shape
    members, elements = walls.shape[:2]
    sizes = (members, atoms, width, elements, orders.shape[2])
    given = (batch.vectors, batch.bounds, batch.elements, walls)
    inputs = (tensor.contiguous() for tensor in given)
    threads = torch.get_num_threads()
    call("repulsion_add", batch.vectors.dtype, *sizes, *inputs, threads, orders, gradient)
