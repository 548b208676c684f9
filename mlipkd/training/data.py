"""Training data: mini-batches with their labels, from memory or, if that is too small, the disk.

The configurations are read in blocks. Neighbours of a block are found when it is read; a set that
fits is one block, which is kept, so its neighbours are found once in all.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from mlipkd.config.recipe import Batch as BatchSettings
from mlipkd.config.recipe import LossTerm
from mlipkd.datasets.dataset import LABELS
from mlipkd.datasets.file import DatasetFile
from mlipkd.errors import InputError
from mlipkd.hipnn.batch import Batch, Batcher, neighbours_of, ranges
from mlipkd.training.label_weights import TrustIn

#: Bytes that the neighbours and Hessians of one block may take.
BLOCK_BYTES = 4 * 2**30
#: Bytes of a Hessian for each pair of its atoms.
HESSIAN_PAIR_BYTES = 9 * 8
#: Configurations looked at to estimate how many neighbours there are.
SAMPLE = 64

#: Labels by whose they are and quantity; what they count by "trust" and the term's quantity; the
#: probes of products by "probes" and whose labels these are.
Labels = dict[tuple[str, str], torch.Tensor]


@dataclass(frozen=True)
class MiniBatch:
    """Some configurations of a block."""

    batcher: Batcher
    labels: Labels
    """Of the whole block."""
    chosen: torch.Tensor
    """(configurations,), which they are in the block."""
    numbers: torch.Tensor
    """(configurations,), which they are in the file."""

    def __len__(self) -> int:
        """How many configurations."""
        return len(self.chosen)

    def parts(self, number: int = 1) -> Iterator[tuple[Batch, Labels, torch.Tensor]]:
        """Parts of about the same size: the batch, its labels, and its configurations' numbers."""
        for chosen, numbers in zip(
            self.chosen.tensor_split(number), self.numbers.tensor_split(number), strict=True
        ):
            labels = {
                key: values[self._rows(key[1], chosen)] for key, values in self.labels.items()
            }
            yield self.batcher.batch(chosen), labels, numbers

    def _rows(self, quantity: str, chosen: torch.Tensor) -> torch.Tensor:
        """Where some configurations' labels stand in those of the block."""
        sizes = self.batcher.offsets.diff() ** atom_axes(quantity)
        ends = sizes.cumsum(0)
        return ranges((ends - sizes)[chosen], ends[chosen])


@dataclass(frozen=True)
class Part:
    """Some configurations of a mini-batch, for some members."""

    batch: Batch
    labels: Labels
    theirs: torch.Tensor | None
    """(members, systems) bool, which configurations are whose; none if all are everyone's."""


class TrainingData:
    """Configurations of one split, in mini-batches with the labels that the loss terms ask for."""

    def __init__(
        self,
        file: DatasetFile,
        configurations: np.ndarray,
        terms: list[LossTerm],
        cutoff: float,
        dtype: torch.dtype,
        device: torch.device | str = "cpu",
    ) -> None:
        """Say which configurations of the file: ``configurations`` is (configurations,) int.

        Neighbours and labels are kept on the device.

        Raises:
            InputError: the file lacks labels, or a spread, that a term asks for; there are no
                configurations; or Hessians are asked for where there is a cell.
        """
        if len(configurations) == 0:
            raise InputError(
                f"{file.path}: expected configurations to train on and to validate with, got none "
                "in one of the splits; give more configurations or smaller fractions"
            )
        for term in terms:
            present = file.labels.get(term.labels, [])
            if stored(term.quantity) not in present:
                raise InputError(
                    f"{file.path}: expected {term.labels} labels of {stored(term.quantity)} for "
                    f"the recipe, got {', '.join(present) or 'none'}; change the recipe's terms, "
                    "or add the labels to the dataset"
                )
        if any(term.of_curvature for term in terms):
            refuse_periodic(file, configurations)
        self._file, self._terms = file, terms
        self._trust = {
            term.quantity: TrustIn(file, term, stored(term.quantity))
            for term in terms
            if term.trust is not None
        }
        self._cutoff, self._dtype, self._device = cutoff, dtype, device
        sample = configurations[:: max(1, len(configurations) // SAMPLE)]
        pairs = len(neighbours_of(file.read(sample), cutoff).senders)
        self.mean_pairs = pairs / len(sample)
        pair_bytes = 8 + 3 * dtype.itemsize
        hessians = len({term.labels for term in terms if term.of_curvature})
        held = self.mean_pairs * len(configurations) * pair_bytes
        held += hessians * float((file.sizes[configurations] ** 2).sum()) * HESSIAN_PAIR_BYTES
        number = max(1, int(np.ceil(held / BLOCK_BYTES)))
        self._blocks = [np.sort(block) for block in np.array_split(configurations, number)]
        self._kept = self._load(self._blocks[0]) if number == 1 else None

    def batch_size(self, settings: BatchSettings) -> int:
        """Configurations in a mini-batch."""
        if settings.pairs is not None:
            return max(1, round(settings.pairs / max(self.mean_pairs, 1)))
        assert settings.configurations is not None  # the settings have exactly one of the two
        return settings.configurations

    def batches(
        self, batch_size: int, generator: torch.Generator | None = None
    ) -> Iterator[MiniBatch]:
        """All configurations in mini-batches; shuffled, if there is a generator."""
        order = torch.arange(len(self._blocks))
        if generator is not None:
            order = torch.randperm(len(order), generator=generator)
        for number in order.tolist():
            batcher, labels = self._kept or self._load(self._blocks[number])
            size = len(self._blocks[number])
            rows = torch.arange(size)
            if generator is not None:
                rows = torch.randperm(size, generator=generator)
            in_file = torch.from_numpy(self._blocks[number])
            for chosen in rows.split(batch_size):
                yield MiniBatch(batcher, labels, chosen.to(self._device), in_file[chosen])

    def number_of_batches(self, batch_size: int) -> int:
        """How many mini-batches hold all configurations."""
        return sum(-(-len(block) // batch_size) for block in self._blocks)

    def _load(self, configurations: np.ndarray) -> tuple[Batcher, Labels]:
        dataset = self._file.read(configurations)
        labels: Labels = {}
        for term in self._terms:
            key = (term.labels, stored(term.quantity))
            label = torch.from_numpy(dataset.labels[key[0]][key[1]])  # float64
            labels[key] = label.to(self._device)
        for quantity, trust in self._trust.items():
            labels["trust", quantity] = trust.weights(dataset).to(self._device)
        species, cutoff = self._file.species_present, self._cutoff
        return Batcher(dataset, species, cutoff, self._dtype, self._device), labels


def refuse_periodic(file: DatasetFile, configurations: np.ndarray) -> None:
    """Refuse Hessians of configurations, (configurations,) int, that repeat in any direction.

    Raises:
        InputError: one does.
    """
    periodic = configurations[file.periodic[configurations].any(axis=1)]
    if len(periodic):
        raise InputError(
            f"{file.path}: expected free molecules for Hessians, got {len(periodic)} "
            f"configurations with a cell, the first of them {periodic[0]}; leave hessian and hvp "
            "out of the recipe"
        )


def stored(quantity: str) -> str:
    """The label that a quantity is computed from."""
    return {"energy_per_atom": "energy", "hvp": "hessian"}.get(quantity, quantity)


def atom_axes(quantity: str) -> int:
    """Axes of atoms in a label: none has rows of configurations, one of atoms, two of pairs."""
    return LABELS[stored(quantity)][0].count("atoms")
