"""Prediction: what a model or an ensemble says of a dataset, in batches sized to memory."""

import sys
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from mlipkd.datasets.dataset import Dataset, chosen_rows, columns_of, row_offsets
from mlipkd.errors import InputError
from mlipkd.hipnn.batch import Batch, Batcher
from mlipkd.hipnn.derivatives import forces, orders_and_gradient, per_system, stress
from mlipkd.hipnn.file import Potential
from mlipkd.hipnn.hessian import hessians
from mlipkd.hipnn.network import HIPNN

#: What is said of a dataset if nothing else is asked for; ``hessian`` is said as well.
QUANTITIES = ("energy", "forces", "atomic_energies", "stress")

#: Numbers that the model holds at a time for a batch, by a rough count.
BUDGET = 4_000_000


def predict(
    potential: Potential, dataset: Dataset, quantities: Sequence[str] = QUANTITIES
) -> dict[str, np.ndarray]:
    """Energy (configurations,), forces (atoms, 3), atomic_energies (atoms,), stress
    (configurations, 3, 3) and hessian (pairs of atoms, 3, 3) of all configurations, those of
    ``quantities``: float64, eV, Å.

    Raises:
        InputError: the dataset holds an element that the model does not know, or one configuration
            alone does not fit into memory.
    """
    found = predict_members(potential.model, dataset, quantities)
    return {name: values[0] for name, values in found.items()}


def predict_members(
    model: HIPNN, dataset: Dataset, quantities: Sequence[str] = QUANTITIES
) -> dict[str, np.ndarray]:
    """The same of all members of an ensemble, in one pass: with a leading dimension for them.

    Raises:
        InputError: as ``predict``.
    """
    offsets = {name: row_offsets(name, dataset.offsets) for name in quantities}
    results = {
        name: np.empty((model.members, rows[-1], *columns_of(name)))
        for name, rows in offsets.items()
    }
    batcher = Batcher(dataset, model.species, model.architecture.hard_max, model.dtype)
    chunks = list(_chunks(batcher, model, "hessian" in quantities))[::-1]
    while chunks:
        configurations = chunks.pop()
        try:
            batch = batcher.batch(configurations).to(model.device)
            found = evaluate(model, batch, quantities)
        except torch.OutOfMemoryError as error:
            chunks += _halves(configurations, model, error)
            continue
        for name, values in found.items():
            rows = chosen_rows(offsets[name], configurations.numpy())
            results[name][:, rows] = values.cpu().numpy()
    return results


def evaluate(model: HIPNN, batch: Batch, quantities: Sequence[str]) -> dict[str, torch.Tensor]:
    """The given quantities of one batch, with a leading dimension for the members."""
    with_forces = "forces" in quantities or "stress" in quantities
    orders, gradient = orders_and_gradient(model, batch, with_forces, training=False)
    atomic_energies = orders.sum(2)  # (members, atoms)
    results = {
        "energy": per_system(atomic_energies, batch),
        "atomic_energies": atomic_energies,
    }
    if gradient is not None:
        if "forces" in quantities:
            results["forces"] = forces(model, gradient, batch)
        if "stress" in quantities:
            results["stress"] = stress(gradient, batch)
    if "hessian" in quantities:
        results["hessian"] = hessians(model, batch)
    return {name: results[name] for name in quantities}


def _halves(
    configurations: torch.Tensor, model: HIPNN, error: torch.OutOfMemoryError
) -> list[torch.Tensor]:
    if len(configurations) == 1:
        raise InputError(
            f"prediction: one configuration alone does not fit into the memory of {model.device}; "
            "take a device with more memory, or --device cpu"
        ) from error
    first, second = configurations.tensor_split(2)
    print(
        f"out of memory: {len(configurations)} configurations are divided in two", file=sys.stderr
    )
    return [second, first]


def _chunks(batcher: Batcher, model: HIPNN, curvature: bool) -> Iterator[torch.Tensor]:
    """Configurations of similar size together, as many as the budget holds."""
    shape = model.architecture
    width, number, later = shape.width, shape.sensitivities, shape.n_interactions > 1
    components = (shape.l_max + 1) ** 2
    # Slopes of the activations, tensors and their derivatives, what atoms send and its derivative;
    # the reference holds all sensitivities and messages of each pair, too.
    per_atom = width * (shape.atom_layers + 2 * components + later * 2 * number)
    by_kernels = model.engine == "cpu" and not curvature
    per_pair = 6 + (0 if by_kernels else number + width)
    first, last = batcher.offsets[:-1], batcher.offsets[1:]
    pairs = batcher.starts[last] - batcher.starts[first]  # (configurations,)
    cost = model.members * ((last - first) * per_atom + pairs * per_pair) + 1
    order = torch.argsort(pairs // (last - first).clamp(min=1) * 1000 + last - first, stable=True)
    group = cost[order].cumsum(0) // BUDGET
    boundaries = torch.nonzero(group.diff()).flatten() + 1
    yield from (chunk for chunk in torch.tensor_split(order, boundaries) if len(chunk))
