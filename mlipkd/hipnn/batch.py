"""Neighbour lists: every atom's neighbours within the cut-off, every periodic image by itself.

The pairs are directed and complete, (i ← j) beside (j ← i), in compressed rows: the neighbours of
atom i are entries ``starts[i]`` to ``starts[i + 1]``. Because each pair is there twice, a table of
what an atom sends becomes a table of what it receives by a permutation, ``reverse``.

Batches: some configurations as the rectangular arrays that the model works on.

Each atom's neighbours are filled up to the longest list of the batch, so that sums over neighbours
are batched matrix products: nothing is scattered, which is fast, deterministic and differentiable
to any order. A slot that is only filled up holds a vector of twice the cut-off, where the cut-off
function and all its derivatives are exactly zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from vesin import NeighborList

from mlipkd.datasets.dataset import Dataset
from mlipkd.errors import InputError


@dataclass(frozen=True)
class Neighbours:
    """The neighbours of all atoms of some configurations, in compressed rows."""

    starts: np.ndarray  # (atoms + 1,) int64
    senders: np.ndarray  # (pairs,) int32, atom j, counted from the configuration's first atom
    reverse: np.ndarray  # (pairs,) int32, where (j ← i) stands among the neighbours of j
    vectors: np.ndarray  # (pairs, 3), R_j - R_i + shift, Å


def find_neighbours(
    species: np.ndarray,
    positions: np.ndarray,
    cell: np.ndarray,
    periodic: np.ndarray,
    cutoff: float,
) -> Neighbours:
    """Neighbours of one configuration, those of each atom by element and then by distance.

    Neighbours at like distances feel the same sensitivities, which the kernels make use of.

    Args:
        species: (atoms,), atomic numbers.
        positions: (atoms, 3), Å.
        cell: (3, 3), Å, rows are lattice vectors; any cell, also one smaller than the cut-off.
        periodic: (3,) bool.
        cutoff: Å.
    """
    search = NeighborList(cutoff=cutoff, full_list=True, n_threads=1)
    i, j, shifts, vectors = search.compute(positions, cell, periodic, quantities="ijSD")
    shifts = shifts.astype(np.int64)  # (pairs, 3)
    i, j = i.astype(np.int64), j.astype(np.int64)

    # Sorted by (i, j, shift) on one side and by (j, i, -shift) on the other, entry p of the one
    # list is the reverse of entry p of the other.
    partner = np.empty(len(i), np.int64)  # the entry of the search that is the reverse of each
    partner[np.argsort(_key(i, j, shifts))] = np.argsort(_key(j, i, -shifts))
    order = np.lexsort((np.linalg.norm(vectors, axis=1), species[j], i))  # (pairs,)
    rank = np.empty(len(i), np.int64)  # where an entry of the search stands among the sorted ones
    rank[order] = np.arange(len(i))
    starts = np.zeros(len(positions) + 1, np.int64)  # (atoms + 1,)
    np.cumsum(np.bincount(i, minlength=len(positions)), out=starts[1:])
    reverse = rank[partner[order]] - starts[j[order]]  # (pairs,)
    return Neighbours(
        starts=starts,
        senders=j[order].astype(np.int32),
        reverse=reverse.astype(np.int32),
        vectors=vectors[order],
    )


def _key(i: np.ndarray, j: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """(i, j, shift) as one number, which sorts much faster than five: (pairs,) int64."""
    reach = int(np.abs(shifts).max(initial=0))
    width = 2 * reach + 1
    key = i * (i.max(initial=0) + 1) + j
    for axis in range(3):
        key = key * width + shifts[:, axis] + reach
    return key


def neighbours_of(dataset: Dataset, cutoff: float, dtype: type = np.float32) -> Neighbours:
    """Neighbours of all configurations of a dataset, with the vectors in the given precision."""
    found = [
        find_neighbours(
            dataset.species[first:last],
            dataset.positions[first:last],
            dataset.cells[m],
            dataset.periodic[m],
            cutoff,
        )
        for m, (first, last) in enumerate(
            zip(dataset.offsets[:-1], dataset.offsets[1:], strict=True)
        )
    ]
    lengths = np.concatenate([[0], *(np.diff(one.starts) for one in found)])  # (atoms + 1,)
    return Neighbours(
        starts=np.cumsum(lengths),
        senders=np.concatenate([one.senders for one in found] or [np.empty(0, np.int32)]),
        reverse=np.concatenate([one.reverse for one in found] or [np.empty(0, np.int32)]),
        vectors=np.concatenate(
            [one.vectors.astype(dtype) for one in found] or [np.empty((0, 3), dtype)]
        ),
    )


@dataclass
class Batch:
    """Some configurations, ready for the model."""

    elements: torch.Tensor  # (atoms,) int64, which of the model's elements each atom is
    systems: torch.Tensor  # (atoms,) int64, the configuration each atom belongs to
    sizes: torch.Tensor  # (systems,) int64, atoms of each configuration
    volumes: torch.Tensor  # (systems,) Å^3, zero for free systems
    vectors: torch.Tensor  # (atoms, neighbours, 3) Å, R_j - R_i + shift
    senders: torch.Tensor  # (atoms, neighbours) int64, atom j; a filled-up slot names its own atom
    bounds: torch.Tensor  # (atoms, elements + 1) int32, slots where an element's neighbours start
    reverse: torch.Tensor  # (atoms * neighbours,) int64, for the slot of (i ← j) that of (j ← i)

    def to(self, device: torch.device | str) -> Self:
        """The batch on another device."""
        return type(self)(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))


class Batcher:
    """Configurations with their neighbours found once, from which batches are put together."""

    def __init__(
        self,
        dataset: Dataset,
        species: Sequence[int],
        cutoff: float,
        dtype: torch.dtype,
        device: torch.device | str = "cpu",
    ) -> None:
        """Find the neighbours of all configurations; vectors are kept in ``dtype``.

        Args:
            dataset: the configurations.
            species: atomic numbers that the model knows, ascending.
            cutoff: Å.
            dtype: precision of the vectors.
            device: where everything is kept and batches are put together.

        Raises:
            InputError: the dataset holds an element that the model does not know.
        """
        elements = elements_of(dataset, species)  # (atoms,)
        precision = np.float64 if dtype == torch.float64 else np.float32
        neighbours: Neighbours = neighbours_of(dataset, cutoff, precision)
        bounds = element_bounds(neighbours, dataset, elements, len(species))

        def kept(array: np.ndarray) -> torch.Tensor:
            return torch.from_numpy(np.ascontiguousarray(array)).to(device)

        self.cutoff = cutoff
        self.offsets = kept(dataset.offsets)  # (configurations + 1,)
        self.volumes = kept(np.abs(np.linalg.det(dataset.cells)))  # (configurations,)
        self.elements, self.bounds = kept(elements), kept(bounds)  # (atoms,), (atoms, elements + 1)
        self.starts = kept(neighbours.starts)  # (atoms + 1,)
        self.senders, self.reverse = kept(neighbours.senders), kept(neighbours.reverse)  # (pairs,)
        self.vectors = kept(neighbours.vectors)  # (pairs, 3)

    @property
    def pairs(self) -> int:
        """Directed pairs in all configurations together."""
        return len(self.senders)

    def atoms(self, configurations: torch.Tensor) -> torch.Tensor:
        """The atoms of some configurations, in order: (atoms,) int64."""
        return ranges(self.offsets[configurations], self.offsets[configurations + 1])

    def batch(self, configurations: torch.Tensor) -> Batch:
        """Put some configurations together: ``configurations`` is (systems,) int64."""
        device = self.offsets.device
        atoms = self.atoms(configurations)  # (atoms,)
        sizes = self.offsets[configurations + 1] - self.offsets[configurations]  # (systems,)
        first_rows = sizes.cumsum(0) - sizes  # (systems,)
        systems = torch.repeat_interleave(
            torch.arange(len(sizes), device=device), sizes
        )  # (atoms,)

        counts = self.starts[atoms + 1] - self.starts[atoms]  # (atoms,)
        longest = int(counts.max()) if len(counts) else 0
        slots = torch.arange(longest, device=device)  # (neighbours,)
        filled_up = slots >= counts[:, None]  # (atoms, neighbours)
        entries = (self.starts[atoms, None] + slots).masked_fill_(filled_up, 0)
        if self.pairs == 0:
            entries = entries[:, :0]
        senders = self.senders[entries].long() + first_rows[systems, None]  # (atoms, neighbours)
        reverse = senders * longest + self.reverse[entries]  # (atoms, neighbours)
        rows = torch.arange(len(atoms), device=device)[:, None]  # (atoms, 1)
        vectors = self.vectors[entries]  # (atoms, neighbours, 3)
        far = vectors.new_tensor([2 * self.cutoff, 0, 0])
        return Batch(
            elements=self.elements[atoms],
            systems=systems,
            sizes=sizes,
            volumes=self.volumes[configurations],
            vectors=torch.where(filled_up[..., None], far, vectors),
            senders=torch.where(filled_up, rows, senders),
            bounds=self.bounds[atoms],
            reverse=torch.where(filled_up, rows * longest + slots, reverse).reshape(-1),
        )


def elements_of(dataset: Dataset, species: Sequence[int]) -> np.ndarray:
    """Which of the model's elements each atom is: (atoms,) int64.

    Raises:
        InputError: an element that is not among them.
    """
    known = np.asarray(species)
    elements = np.minimum(np.searchsorted(known, dataset.species), len(known) - 1)  # (atoms,)
    strange = dataset.species != known[elements]  # (atoms,)
    if strange.any():
        raise InputError(
            f"{dataset.name}: expected atoms of the elements {known.tolist()} (atomic numbers) "
            f"that the model was trained on, got {np.unique(dataset.species[strange]).tolist()}; "
            "train on data that holds them"
        )
    return elements.astype(np.int64)


def element_bounds(
    neighbours: Neighbours, dataset: Dataset, elements: np.ndarray, number: int
) -> np.ndarray:
    """Where each element's neighbours start in an atom's row: (atoms, elements + 1) int32."""
    atoms = np.arange(len(elements))
    centres = np.repeat(atoms, np.diff(neighbours.starts))  # (pairs,)
    first_atoms = np.repeat(dataset.offsets[:-1], dataset.sizes)  # (atoms,)
    senders = first_atoms[centres] + neighbours.senders  # (pairs,)
    counts = np.bincount(centres * number + elements[senders], minlength=len(atoms) * number)
    bounds = np.zeros((len(atoms), number + 1), np.int32)
    np.cumsum(counts.reshape(-1, number), axis=1, out=bounds[:, 1:])
    return bounds


def ranges(first: torch.Tensor, last: torch.Tensor) -> torch.Tensor:
    """The integers of several ranges [first, last) one after the other."""
    lengths = last - first
    ends = lengths.cumsum(0)
    total = int(ends[-1]) if len(ends) else 0
    counted = torch.arange(total, device=first.device)
    return counted + torch.repeat_interleave(first - (ends - lengths), lengths)
