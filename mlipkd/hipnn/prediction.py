"""Prediction: what a model says of a dataset, in batches sized to memory."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from mlipkd.datasets.dataset import Dataset
from mlipkd.hipnn.batch import Batch, Batcher
from mlipkd.hipnn.derivatives import forces, orders_and_gradient, per_system, stress
from mlipkd.hipnn.file import Potential

QUANTITIES = ("energy", "forces", "atomic_energies", "stress")

#: Neighbour slots × (sensitivities + width) in a batch; about 200 MB of workspace in float32.
BUDGET = 4_000_000


def predict(
    potential: Potential, dataset: Dataset, quantities: Sequence[str] = QUANTITIES
) -> dict[str, np.ndarray]:
    """Energy (configurations,), forces (atoms, 3), atomic_energies (atoms,) and stress
    (configurations, 3, 3) of all configurations, those of ``quantities``: float64, eV, Å.

    Raises:
        InputError: the dataset holds an element that the model does not know.
    """
    shapes = {
        "energy": (len(dataset),),
        "forces": (len(dataset.species), 3),
        "atomic_energies": (len(dataset.species),),
        "stress": (len(dataset), 3, 3),
    }
    results = {name: np.empty(shapes[name]) for name in quantities}
    cutoff = potential.model.architecture.hard_max
    batcher = Batcher(dataset, potential.model.species, cutoff, potential.dtype)
    for configurations in _chunks(batcher, potential):
        atoms = batcher.atoms(configurations)
        batch = batcher.batch(configurations).to(potential.device)
        for name, values in evaluate(potential, batch, quantities).items():
            rows = configurations if name in ("energy", "stress") else atoms
            results[name][rows.numpy()] = values.cpu().numpy()
    return results


def evaluate(
    potential: Potential, batch: Batch, quantities: Sequence[str]
) -> dict[str, torch.Tensor]:
    """The given quantities of one batch."""
    with_forces = "forces" in quantities or "stress" in quantities
    orders, gradient = orders_and_gradient(potential.model, batch, with_forces, training=False)
    atomic_energies = orders.sum(2)  # (members, atoms)
    results = {
        "energy": per_system(atomic_energies, batch),
        "atomic_energies": atomic_energies,
    }
    if gradient is not None:
        if "forces" in quantities:
            results["forces"] = forces(potential.model, gradient, batch)
        if "stress" in quantities:
            results["stress"] = stress(gradient, batch)
    return {name: results[name][0] for name in quantities}


def _chunks(batcher: Batcher, potential: Potential) -> Iterator[torch.Tensor]:
    """Configurations of similar size together, as many as the budget holds."""
    shape = potential.model.architecture
    per_slot = shape.sensitivities + (shape.width if shape.n_interactions > 1 else 9)
    first, last = batcher.offsets[:-1], batcher.offsets[1:]
    pairs = batcher.starts[last] - batcher.starts[first]  # (configurations,)
    cost = (pairs + (last - first) * shape.width // per_slot + 1) * per_slot
    order = torch.argsort(pairs // (last - first).clamp(min=1) * 1000 + last - first, stable=True)
    group = cost[order].cumsum(0) // BUDGET
    boundaries = torch.nonzero(group.diff()).flatten() + 1
    yield from (chunk for chunk in torch.tensor_split(order, boundaries) if len(chunk))
