"""Energy, forces and stress of one system of any size, in chunks of atoms.

With a single interaction layer an atom's energy depends on its neighbours only. Each chunk of atoms
is then evaluated and differentiated separately, and only its forces are stored: the memory is that
of the list, the positions and one chunk. Later layers need the features of all atoms, so with them
the whole system is one chunk.
"""

from collections.abc import Iterator

import torch

from mlipkd.hipnn.engines import engine_of
from mlipkd.hipnn.network import HIPNN
from mlipkd.neighbours.rows import Pairs, Sums
from mlipkd.neighbours.verlet import PairList

#: Features of all atoms of a chunk; an array of them fits into a processor's cache.
CHUNK = {"cpu": 2**18, "cuda": 2**23}


def evaluate_system(model: HIPNN, neighbours: PairList) -> dict[str, torch.Tensor]:
    """Energy, forces and stress of one system by each member of an ensemble, float64.

    Returns:
        ``energy`` (members,) eV, ``atomic_energies`` (members, atoms) eV, ``forces``
        (members, atoms, 3) eV/Å and ``stress`` (members, 3, 3) eV/Å^3, NaN without a volume.
    """
    members = model.members
    sums = [Sums(neighbours.rows) for _ in range(members)]
    atomic_energies = [torch.zeros(members, 0, dtype=torch.float64, device=model.device)]
    for chunk, pairs, energies, gradients in chunks(model, neighbours):
        for total, gradient in zip(sums, gradients, strict=True):
            total.add(chunk, pairs, gradient)
        atomic_energies.append(energies)
    energies = torch.cat(atomic_energies, dim=1)
    volume = torch.where(neighbours.volume > 0, neighbours.volume, torch.nan)
    return {
        "energy": energies.sum(1),
        "atomic_energies": energies,
        "forces": torch.stack([total.forces() for total in sums]),
        "stress": torch.stack([total.virial() for total in sums]) / volume,
    }


def chunks(
    model: HIPNN, neighbours: PairList
) -> Iterator[tuple[slice, Pairs, torch.Tensor, torch.Tensor]]:
    """Chunk after chunk: the atoms, their pairs, and their energies and gradients by each member.

    Yields:
        the first and last atom, the chunk's pairs, atomic energies (members, atoms) float64, eV,
        and the pair gradient (members, atoms, neighbours, 3), eV/Å.
    """
    engine, members, atoms = engine_of(model), model.members, len(neighbours.elements)
    size = max(1, CHUNK[model.device.type] // (members * model.architecture.width))
    later_layers = model.architecture.n_interactions > 1
    if later_layers:
        size = max(1, atoms)
    for first in range(0, atoms, size):
        chunk = slice(first, min(first + size, atoms))
        pairs = neighbours.pairs(chunk, with_senders=later_layers)
        batch = neighbours.batch(chunk, pairs, with_senders=later_layers)
        orders, gradients = engine.orders_and_gradient(
            model, batch, derivatives=True, training=False
        )
        assert gradients is not None
        yield chunk, pairs, orders.sum(2), gradients
