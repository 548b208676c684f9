"""Prediction of a dataset by a model or an ensemble, in batches sized to memory."""

import sys
from collections.abc import Collection, Iterator, Sequence
from functools import cached_property

import numpy as np
import torch

from mlipkd.config.quantities import QUANTITIES
from mlipkd.datasets.dataset import Dataset, chosen_rows, columns_of, row_offsets
from mlipkd.errors import InputError
from mlipkd.hipnn.batch import Batch, Batcher
from mlipkd.hipnn.derivatives import per_system, stress
from mlipkd.hipnn.engines import engine_name, engine_of
from mlipkd.hipnn.file import Potential
from mlipkd.hipnn.hessian import Curvature, hessians
from mlipkd.hipnn.network import HIPNN

#: What is predicted by default; ``hessian`` and ``energy_per_atom`` can be as well.
DEFAULT = ("energy", "forces", "atomic_energies", "stress")

#: Numbers that the model holds at a time for a batch, by a rough count.
BUDGET = 4_000_000


def predict(
    potential: Potential, dataset: Dataset, quantities: Sequence[str] = DEFAULT
) -> dict[str, np.ndarray]:
    """Energy (configurations,), forces (atoms, 3), atomic_energies (atoms,), stress
    (configurations, 3, 3) and hessian (pairs of atoms, 3, 3) of all configurations, those of
    ``quantities``: float64, eV, Å.

    Raises:
        InputError: the dataset holds an element that the model does not know, or a single
            configuration does not fit into memory.
    """
    results = predict_members(potential.model, dataset, quantities)
    return {name: values[0] for name, values in results.items()}


def predict_members(
    model: HIPNN, dataset: Dataset, quantities: Sequence[str] = DEFAULT
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
            values = evaluate(model, batch, quantities)
        except torch.OutOfMemoryError as error:
            chunks += _halves(configurations, model, error)
            continue
        for name, value in values.items():
            rows = chosen_rows(offsets[name], configurations.numpy())
            results[name][:, rows] = value.cpu().numpy()
    return results


def evaluate(model: HIPNN, batch: Batch, quantities: Sequence[str]) -> dict[str, torch.Tensor]:
    """The given quantities of one batch, with a leading dimension for the members."""
    prediction = Prediction(model, batch, quantities, training=False)
    return {name: getattr(prediction, name)() for name in quantities}


class Prediction:
    """What a model predicts of one batch: a method for each quantity, each with a leading dimension
    for the members."""

    def __init__(
        self, model: HIPNN, batch: Batch, quantities: Collection[str], training: bool
    ) -> None:
        """Evaluate the model.

        Args:
            model: the members.
            batch: some configurations.
            quantities: those that will be called, of ``QUANTITIES`` in config/quantities.py.
            training: keep the graph, to differentiate with respect to the weights.
        """
        self.model, self.batch, self.engine = model, batch, engine_of(model)
        self.curvature: Curvature | None = None
        self.gradient: torch.Tensor | None
        if "hvp" in quantities:  # the energy and its gradient come with it
            self.curvature = Curvature(model, batch, training)
            self.orders, self.gradient = self.curvature.orders, self.curvature.gradient
        else:
            derivatives = any(QUANTITIES[name].order == 1 for name in quantities)
            self.orders, self.gradient = self.engine.orders_and_gradient(
                model, batch, derivatives, training
            )

    def energy(self) -> torch.Tensor:
        """(members, systems), eV."""
        return self._energy

    def energy_per_atom(self) -> torch.Tensor:
        """(members, systems), eV/atom."""
        return self._energy / self.batch.sizes

    def atomic_energies(self) -> torch.Tensor:
        """(members, atoms), eV."""
        return self._atomic_energies

    def forces(self) -> torch.Tensor:
        """(members, atoms, 3), eV/Å."""
        assert self.gradient is not None
        return self.engine.forces(self.gradient, self.batch)

    def stress(self) -> torch.Tensor:
        """(members, systems, 3, 3), eV/Å^3; NaN of free systems."""
        assert self.gradient is not None
        return stress(self.gradient, self.batch)

    def hessian(self) -> torch.Tensor:
        """(members, pairs of atoms, 3, 3), eV/Å²."""
        return hessians(self.model, self.batch)

    def hvp(self, v: torch.Tensor) -> torch.Tensor:
        """The Hessians times v (atoms, 3): (members, atoms, 3), eV/Å² times the unit of v."""
        assert self.curvature is not None
        return self.curvature.product(v)

    @cached_property
    def _atomic_energies(self) -> torch.Tensor:
        return self.orders.sum(2)

    @cached_property
    def _energy(self) -> torch.Tensor:
        return per_system(self._atomic_energies, self.batch)


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
    by_kernels = engine_name(model.device) == "cpu" and not curvature
    per_pair = 6 + (0 if by_kernels else number + width)
    first, last = batcher.offsets[:-1], batcher.offsets[1:]
    pairs = batcher.starts[last] - batcher.starts[first]  # (configurations,)
    cost = model.members * ((last - first) * per_atom + pairs * per_pair) + 1
    order = torch.argsort(pairs // (last - first).clamp(min=1) * 1000 + last - first, stable=True)
    group = cost[order].cumsum(0) // BUDGET
    boundaries = torch.nonzero(group.diff()).flatten() + 1
    yield from (chunk for chunk in torch.tensor_split(order, boundaries) if len(chunk))
