"""Training data: mini-batches with their labels, from memory or, if that is too small, the disk.

The configurations are read in blocks. Neighbours of a block are found when it is read; a set that
fits is one block, which stays in memory, so its neighbours are found once in all.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from mlipkd.checks.hessians import refuse_periodic_hessians
from mlipkd.config.recipe import BatchSize, LossTerm
from mlipkd.datasets.dataset import row_offsets
from mlipkd.datasets.file import DatasetFile
from mlipkd.errors import InputError
from mlipkd.hipnn.batch import Batch, Batcher, neighbours_of, ranges
from mlipkd.hipnn.hessian import pairs_of
from mlipkd.training.labels import Labels, LabelWeights, TermLabels, as_compared, draw_probes

#: Bytes that the neighbours and Hessians of one block may take.
BLOCK_BYTES = 4 * 2**30
#: Bytes of a Hessian for each pair of its atoms.
HESSIAN_PAIR_BYTES = 9 * 8
#: Configurations whose neighbours are counted to estimate those of all.
SAMPLE = 64


@dataclass(frozen=True)
class Microbatch:
    """Some configurations of a mini-batch, which memory holds at a time."""

    batch: Batch
    labels: Labels
    numbers: torch.Tensor
    """(systems,) which configurations of the file they are."""
    member_mask: torch.Tensor | None = None
    """(members, systems) bool: which configurations each member learns from; all if left out."""

    def rows_mask(self, atom_axes: int) -> torch.Tensor | None:
        """``member_mask`` of the rows of a quantity: (members, systems, atoms or pairs of atoms).

        Args:
            atom_axes: of the quantity: 0 for rows of configurations, 1 of atoms, 2 of pairs.
        """
        if self.member_mask is None or atom_axes == 0:
            return self.member_mask
        systems = self.batch.systems  # (atoms,)
        if atom_axes == 2:
            systems = systems[pairs_of(self.batch)[0]]  # (pairs,)
        return self.member_mask[:, systems]

    def of_members(self, mask: torch.Tensor | None) -> "Microbatch":
        """The same for members whose configurations of the file are (members, configurations) bool;
        none if all members learn from all."""
        if mask is None:
            return self
        return replace(self, member_mask=mask[:, self.numbers].to(self.batch.systems.device))

    def with_probes(self, terms: list[LossTerm], seed: int, epoch: int | None) -> "Microbatch":
        """The same with probes for the terms that have some.

        Args:
            terms: of the loss.
            seed: of the training.
            epoch: the one to draw fresh probes for; none where all probes stay the same.
        """
        labels = dict(self.labels)
        for term in terms:
            if term.probes is not None:
                sizes, numbers = self.batch.sizes.tolist(), self.numbers.tolist()
                drawn_in = epoch if epoch is not None and term.probes.fresh else 0
                v = draw_probes(term.probes.kind, sizes, numbers, seed, drawn_in)
                probes = torch.from_numpy(v).to(self.batch.vectors.device)
                labels[term.name] = replace(labels[term.name], probes=probes)
        return replace(self, labels=labels)


@dataclass(frozen=True)
class _Block:
    """Configurations in memory, with their neighbours and labels."""

    numbers: torch.Tensor
    """(configurations,) which configurations of the file they are."""
    batcher: Batcher
    labels: Labels
    rows: dict[str, torch.Tensor]
    """Where each configuration's rows of a term's labels start, and their end:
    (configurations + 1,)."""


@dataclass(frozen=True)
class MiniBatch:
    """Some configurations of a block."""

    block: _Block
    chosen: torch.Tensor
    """(configurations,) which of the block they are."""

    def __len__(self) -> int:
        """How many configurations."""
        return len(self.chosen)

    def microbatches(self, number: int = 1) -> Iterator[Microbatch]:
        """So many microbatches of about the same number of configurations."""
        block = self.block
        for chosen in self.chosen.tensor_split(number):
            on_device = chosen.to(block.batcher.offsets.device)
            labels = {
                name: term_labels.select(
                    ranges(block.rows[name][on_device], block.rows[name][on_device + 1])
                )
                for name, term_labels in block.labels.items()
            }
            yield Microbatch(block.batcher.batch(on_device), labels, block.numbers[chosen])


class TrainingData:
    """Configurations of one split, in mini-batches with the labels that the loss terms need."""

    def __init__(
        self,
        file: DatasetFile,
        configurations: np.ndarray,
        terms: list[LossTerm],
        cutoff: float,
        dtype: torch.dtype,
        device: torch.device | str = "cpu",
    ) -> None:
        """Read the configurations, or plan in which blocks to read them.

        Args:
            file: the dataset.
            configurations: (configurations,) int, which of the file.
            terms: of the loss.
            cutoff: Å.
            dtype: precision of the pair vectors.
            device: where neighbours and labels are held.

        Raises:
            InputError: the file lacks labels, or a spread, that a term needs; there are no
                configurations; or a term needs Hessians of configurations with a cell.
        """
        if len(configurations) == 0:
            raise InputError(
                f"{file.path}: expected configurations to train on and to validate with, got none "
                "in one of the splits; give more configurations or smaller fractions"
            )
        for term in terms:
            present = file.labels.get(term.labels, [])
            if term.label not in present:
                raise InputError(
                    f"{file.path}: expected {term.labels} labels of {term.label} for the recipe, "
                    f"got {', '.join(present) or 'none'}; change the recipe's terms, or add the "
                    "labels to the dataset"
                )
        if any(term.compared.curvature for term in terms):
            refuse_periodic_hessians(file, configurations)
        self._file, self._terms = file, terms
        self._weights = {
            term.name: LabelWeights(file, term) for term in terms if term.trust is not None
        }
        self._cutoff, self._dtype, self._device = cutoff, dtype, device
        sample = configurations[:: max(1, len(configurations) // SAMPLE)]
        pairs = len(neighbours_of(file.read(sample), cutoff).senders)
        self.mean_pairs = pairs / len(sample)
        pair_bytes = 8 + 3 * dtype.itemsize
        hessians = len({term.labels for term in terms if term.compared.curvature})
        total_bytes = self.mean_pairs * len(configurations) * pair_bytes
        total_bytes += (
            hessians * float((file.sizes[configurations] ** 2).sum()) * HESSIAN_PAIR_BYTES
        )
        number = max(1, int(np.ceil(total_bytes / BLOCK_BYTES)))
        self._blocks = [np.sort(block) for block in np.array_split(configurations, number)]
        self._in_memory = self._load(self._blocks[0]) if number == 1 else None

    def batch_size(self, settings: BatchSize) -> int:
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
            block = self._in_memory or self._load(self._blocks[number])
            size = len(block.numbers)
            chosen = torch.arange(size)
            if generator is not None:
                chosen = torch.randperm(size, generator=generator)
            for some in chosen.split(batch_size):
                yield MiniBatch(block, some)

    def number_of_batches(self, batch_size: int) -> int:
        """How many mini-batches hold all configurations."""
        return sum(-(-len(block) // batch_size) for block in self._blocks)

    def _load(self, configurations: np.ndarray) -> _Block:
        dataset = self._file.read(configurations)
        labels: Labels = {}
        rows = {}
        for term in self._terms:
            values = torch.from_numpy(as_compared(term, dataset.labels[term.labels], dataset))
            weights = None
            if term.name in self._weights:
                weights = self._weights[term.name].of(dataset).to(self._device)
            labels[term.name] = TermLabels(values.to(self._device), weights)
            offsets = row_offsets(term.label, dataset.offsets)  # (configurations + 1,)
            rows[term.name] = torch.from_numpy(offsets).to(self._device)
        species, cutoff = self._file.species_present, self._cutoff
        batcher = Batcher(dataset, species, cutoff, self._dtype, self._device)
        return _Block(torch.from_numpy(configurations), batcher, labels, rows)
