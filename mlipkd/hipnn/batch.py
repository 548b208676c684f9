"""Neighbours of configurations, and batches: the rectangular arrays that the model works on.

An atom's neighbours are all atoms within the cut-off, with each periodic image counted separately.
Every pair occurs in both directions, (i ← j) and (j ← i), in compressed rows: the neighbours of
atom i are entries ``starts[i]`` to ``starts[i + 1]``. Because each pair is there twice, a table of
what an atom sends becomes a table of what it receives by a permutation, ``reverse``.

In a batch each atom's neighbours are padded to the longest list, so that sums over neighbours are
batched matrix products: nothing is scattered, which is fast, deterministic and differentiable to
any order. The vector of a padding slot is twice the cut-off long, where the cut-off function and
all its derivatives are exactly zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from vesin import NeighborList

from mlipkd.datasets.dataset import Dataset
from mlipkd.errors import InputError

#: Atoms that are closer than this are at one place, Å: a model's forces are NaN there, or nonsense.
COINCIDENT = 1e-3


def refuse_coincident(name: str, distance: float, first: int, second: int) -> None:
    """Refuse two atoms at one place, Å.

    Raises:
        InputError: they are.
    """
    if distance < COINCIDENT:
        first, second = sorted((first, second))
        raise InputError(
            f"{name}: expected atoms apart from each other, got atoms {first} and {second} "
            f"(counted from 0) at one place, {distance:.1g} Å apart; remove one of them, or go "
            "back to a good structure"
        )


@dataclass(frozen=True)
class Neighbours:
    """The neighbours of all atoms of some configurations, in compressed rows."""

    starts: np.ndarray  # (atoms + 1,) int64
    senders: np.ndarray  # (pairs,) int32, atom j, counted from the configuration's first atom
    reverse: np.ndarray  # (pairs,) int32, position of (j ← i) among the neighbours of j
    vectors: np.ndarray  # (pairs, 3), R_j - R_i + shift, Å


def find_neighbours(
    species: np.ndarray,
    positions: np.ndarray,
    cell: np.ndarray,
    periodic: np.ndarray,
    cutoff: float,
    name: str = "configuration",
) -> Neighbours:
    """Neighbours of one configuration, those of each atom by element and then by distance.

    Neighbours at similar distances feel the same sensitivities, which the kernels exploit.

    Args:
        species: (atoms,), atomic numbers.
        positions: (atoms, 3), Å.
        cell: (3, 3), Å, rows are lattice vectors; any cell, also one smaller than the cut-off.
        periodic: (3,) bool.
        cutoff: Å.
        name: of the configuration, for the error.

    Raises:
        InputError: two atoms are at one place.
    """
    search = NeighborList(cutoff=cutoff, full_list=True, n_threads=1)
    i, j, shifts, vectors = search.compute(positions, cell, periodic, quantities="ijSD")
    shifts = shifts.astype(np.int64)  # (pairs, 3)
    i, j = i.astype(np.int64), j.astype(np.int64)

    # Sorted by (i, j, shift) on one side and by (j, i, -shift) on the other, entry p of the one
    # list is the reverse of entry p of the other.
    partner = np.empty(len(i), np.int64)  # the entry of the search that is the reverse of each
    partner[np.argsort(_key(i, j, shifts))] = np.argsort(_key(j, i, -shifts))
    distances = np.linalg.norm(vectors, axis=1)  # (pairs,)
    if len(distances):
        closest = distances.argmin()
        refuse_coincident(name, distances[closest], int(i[closest]), int(j[closest]))
    order = np.lexsort((distances, species[j], i))  # (pairs,)
    rank = np.empty(len(i), np.int64)  # position of an entry of the search after sorting
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
    """(i, j, shift) as a single number, which sorts much faster than five: (pairs,) int64."""
    reach = int(np.abs(shifts).max(initial=0))
    width = 2 * reach + 1
    key = i * (i.max(initial=0) + 1) + j
    for axis in range(3):
        key = key * width + shifts[:, axis] + reach
    return key


def neighbours_of(dataset: Dataset, cutoff: float, dtype: type = np.float32) -> Neighbours:
    """Neighbours of all configurations of a dataset, with the vectors in the given precision."""
    lists = [
        find_neighbours(
            dataset.species[first:last],
            dataset.positions[first:last],
            dataset.cells[m],
            dataset.periodic[m],
            cutoff,
            f"{dataset.name}: configuration {m}",
        )
        for m, (first, last) in enumerate(
            zip(dataset.offsets[:-1], dataset.offsets[1:], strict=True)
        )
    ]
    lengths = np.concatenate([[0], *(np.diff(each.starts) for each in lists)])  # (atoms + 1,)
    return Neighbours(
        starts=np.cumsum(lengths),
        senders=np.concatenate([each.senders for each in lists] or [np.empty(0, np.int32)]),
        reverse=np.concatenate([each.reverse for each in lists] or [np.empty(0, np.int32)]),
        vectors=np.concatenate(
            [each.vectors.astype(dtype) for each in lists] or [np.empty((0, 3), dtype)]
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
    senders: torch.Tensor  # (atoms, neighbours) int64, atom j; i itself in padding slots
    bounds: torch.Tensor  # (atoms, elements + 1) int32, slots where an element's neighbours start
    reverse: torch.Tensor  # (atoms * neighbours,) int64, for the slot of (i ← j) that of (j ← i)

    def to(self, device: torch.device | str) -> Self:
        """The batch on another device."""
        return type(self)(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))


class Batcher:
    """Configurations whose neighbours are searched for once, and batches of them."""

    def __init__(
        self,
        dataset: Dataset,
        species: Sequence[int],
        cutoff: float,
        dtype: torch.dtype,
        device: torch.device | str = "cpu",
    ) -> None:
        """Find the neighbours of all configurations; vectors are stored in ``dtype``.

        Args:
            dataset: the configurations.
            species: atomic numbers that the model knows, ascending.
            cutoff: Å.
            dtype: precision of the vectors.
            device: where the arrays are and batches are assembled.

        Raises:
            InputError: the dataset holds an element that the model does not know, or two atoms at
                one place.
        """
        elements = elements_of(dataset, species)  # (atoms,)
        precision = np.float64 if dtype == torch.float64 else np.float32
        neighbours: Neighbours = neighbours_of(dataset, cutoff, precision)
        bounds = element_bounds(neighbours, dataset, elements, len(species))

        def on_device(array: np.ndarray) -> torch.Tensor:
            return torch.from_numpy(np.ascontiguousarray(array)).to(device)

        self.cutoff = cutoff
        self.offsets = on_device(dataset.offsets)  # (configurations + 1,)
        self.volumes = on_device(np.abs(np.linalg.det(dataset.cells)))  # (configurations,)
        self.elements = on_device(elements)  # (atoms,)
        self.bounds = on_device(bounds)  # (atoms, elements + 1)
        self.starts = on_device(neighbours.starts)  # (atoms + 1,)
        self.senders = on_device(neighbours.senders)  # (pairs,)
        self.reverse = on_device(neighbours.reverse)  # (pairs,)
        self.vectors = on_device(neighbours.vectors)  # (pairs, 3)

    @property
    def pairs(self) -> int:
        """Directed pairs in all configurations together."""
        return len(self.senders)

    def atoms(self, configurations: torch.Tensor) -> torch.Tensor:
        """The atoms of some configurations, in order: (atoms,) int64."""
        return ranges(self.offsets[configurations], self.offsets[configurations + 1])

    def batch(self, configurations: torch.Tensor) -> Batch:
        """A batch of some configurations: ``configurations`` is (systems,) int64."""
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
        padding = slots >= counts[:, None]  # (atoms, neighbours)
        entries = (self.starts[atoms, None] + slots).masked_fill_(padding, 0)
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
            vectors=torch.where(padding[..., None], far, vectors),
            senders=torch.where(padding, rows, senders),
            bounds=self.bounds[atoms],
            reverse=torch.where(padding, rows * longest + slots, reverse).reshape(-1),
        )


def elements_of(dataset: Dataset, species: Sequence[int]) -> np.ndarray:
    """Which of the model's elements each atom is: (atoms,) int64.

    Raises:
        InputError: an element that is not among them.
    """
    known = np.asarray(species)
    elements = np.minimum(np.searchsorted(known, dataset.species), len(known) - 1)  # (atoms,)
    unknown = dataset.species != known[elements]  # (atoms,)
    if unknown.any():
        raise InputError(
            f"{dataset.name}: expected atoms of the elements {known.tolist()} (atomic numbers) "
            f"that the model was trained on, got {np.unique(dataset.species[unknown]).tolist()}; "
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
