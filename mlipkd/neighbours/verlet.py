"""Verlet lists: neighbours a little beyond the cut-off, used until an atom has moved too far.

L. Verlet, Phys. Rev. 159, 98 (1967). While no atom has moved by half the skin since the list was
built, no pair can have come from outside the list to inside the cut-off, and only the vectors of
its pairs are computed again.

A barostat strains the cell at every step, and the atoms with it. Let the strain F (row vectors: new
lattice = old lattice · F) take a pair from d to d F + Δ, where Δ is how the two atoms have moved
besides, by m each at most. A pair that is now within the cut-off was then within (cut-off + 2 m) /
σ, σ the least singular value of F; while that is within the list's reach, the list still holds.

Several structures, of a batch of trajectories, have a Verlet list each, which is rebuilt when the
atoms of that structure have moved too far; the lists are concatenated, so that a model sees one
system of pairs none of which connects two structures.
"""

import math
from collections.abc import Sequence
from functools import cached_property
from threading import RLock
from typing import Any

import numpy as np
import torch
from ase import Atoms
from vesin import NeighborList

from mlipkd.datasets.dataset import Dataset
from mlipkd.errors import InputError
from mlipkd.hipnn.batch import COINCIDENT, Batch, elements_of, refuse_coincident
from mlipkd.neighbours.rows import Pairs, Rows, make_rows, nearest_neighbours, reverse_slots, within

#: Volume of a cell over the product of its edges, below which it is flat; edges that are none, Å.
FLAT, SHORTEST = 1e-4, 0.1


class PairList:
    """Rows of neighbours, and the current positions of their atoms."""

    rows: Rows
    elements: torch.Tensor  # (atoms,) int64, which of the model's elements each atom is
    volume: torch.Tensor  # Å^3, zero where the cell is flat or missing
    positions: torch.Tensor  # (atoms, 3) float64, Å
    lock: Any
    """To be held from ``update`` until the results are there: threads may share a list."""

    def __init__(
        self,
        species: Sequence[int],
        cutoff: float,
        skin: float,
        dtype: torch.dtype,
        device: torch.device | str = "cpu",
    ) -> None:
        """An empty list.

        Args:
            species: atomic numbers that the model knows, ascending.
            cutoff: Å.
            skin: how far beyond the cut-off the list reaches, Å; with zero it is rebuilt each time.
            dtype: precision of the vectors.
            device: where pairs are stored.

        Raises:
            InputError: a skin that is negative or not finite.
        """
        if not 0 <= skin < math.inf:
            raise InputError(
                f"skin: expected a length of 0 Å or more, got {skin:g}; leave it out for 1 Å"
            )
        self.lock = RLock()
        self.species, self.cutoff, self.skin, self.dtype = species, cutoff, skin, dtype
        self.device = torch.device(device)

    def __getstate__(self) -> dict[str, Any]:
        """For copies and pickles, which have a lock of their own."""
        return {name: value for name, value in vars(self).items() if name != "lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Of a copy or a pickle."""
        vars(self).update(state, lock=RLock())

    def pairs(self, chunk: slice, with_senders: bool) -> Pairs:
        """The pairs of some of the atoms, from the first to the last of a chunk.

        Pairs beyond the cut-off are left out, unless senders are needed (``with_senders``, see
        ``batch``): then all pairs are in the slots that ``reverse`` refers to.
        """
        cutoff = math.inf if with_senders else self.cutoff
        far = 2 * (self.cutoff + self.skin)
        return within(self.rows, chunk, self.positions, cutoff, far, self.dtype)

    def batch(self, chunk: slice, pairs: Pairs, with_senders: bool) -> Batch:
        """Some of the atoms as a batch of one system.

        Senders, which later layers need, can only be given for a batch of all atoms.
        """
        elements = self.elements[chunk]
        systems, size = torch.zeros_like(elements), torch.tensor([len(elements)])
        return Batch(
            elements=elements,
            systems=systems,
            sizes=size.to(self.device),
            volumes=self.volume[None],
            vectors=pairs.vectors,
            senders=pairs.senders.long() if with_senders else systems[:0],
            bounds=pairs.bounds,
            reverse=self.reverse if with_senders else systems[:0],
        )

    @cached_property
    def reverse(self) -> torch.Tensor:
        """For the slot of (i ← j) that of (j ← i): (atoms * neighbours,) int64."""
        return reverse_slots(self.rows)


class VerletList(PairList):
    """The neighbours in one structure, kept up to date as its atoms move."""

    built_from: Atoms | None = None
    builds = 0
    changes = 0
    """Builds, and strains with the cell."""

    def update(self, atoms: Atoms) -> None:
        """Make it the list of this structure.

        Raises:
            InputError: coordinates that are not finite, two atoms at one place, periodic directions
                without lattice vectors, or an element that the model does not know.
        """
        _refuse_not_finite(atoms)
        old = self.built_from
        if (
            old is None
            or not np.array_equal(atoms.cell.array, self._cell)
            or not np.array_equal(atoms.pbc, old.pbc)
        ):
            _refuse_flat(atoms)
        positions = self._tracked(atoms)
        if positions is None:
            # Wrapped into the cell, or the table of images would grow as atoms diffuse.
            wrapped = atoms.copy()
            wrapped.wrap()
            self._build(wrapped)
            positions = wrapped.positions
        self.positions = torch.from_numpy(positions).to(self.device)  # (atoms, 3)

    def _tracked(self, atoms: Atoms) -> np.ndarray | None:
        """The positions (atoms, 3), unless the list is no longer valid for them.

        A program may have wrapped atoms into the cell since: the images are taken that are nearest
        to the positions that the list was built from, strained like the cell.
        """
        old, strain = self.built_from, self._strain(atoms)
        if old is None or strain is None:
            return None
        expected = old.positions @ strain
        moved = atoms.positions - expected
        inverse, lattice = np.linalg.inv(strain) @ self._inverse, self._lattice @ strain  # (3, 3)
        moved -= np.rint(moved @ inverse) @ lattice
        squares = (moved**2).sum(1)  # (atoms,)
        farthest = math.sqrt(squares.max(initial=0))
        least = np.linalg.svd(strain, compute_uv=False)[-1]
        if (self.cutoff + 2 * farthest) / least >= self.cutoff + self.skin:
            return None
        if self._nearest.min(initial=math.inf) * least - 2 * farthest < COINCIDENT:
            # Only these can have met another one by now: mostly none, so nothing is searched.
            may = self._nearest * least - np.sqrt(squares) - farthest < COINCIDENT  # (atoms,)
            _refuse_coincident(atoms, np.flatnonzero(may))
        if not np.array_equal(atoms.cell.array, self._cell):
            self._deform(atoms.cell.array, strain)
        return expected + moved

    def _strain(self, atoms: Atoms) -> np.ndarray | None:
        """The strain of the cell since the list was built, (3, 3); none if the atoms are others."""
        old = self.built_from
        if (
            old is None
            or not np.array_equal(old.numbers, atoms.numbers)
            or not np.array_equal(old.pbc, atoms.pbc)
        ):
            return None
        if np.array_equal(old.cell.array, atoms.cell.array):
            return np.eye(3)
        return np.linalg.solve(old.cell.array, atoms.cell.array) if old.pbc.all() else None

    def _deform(self, cell: np.ndarray, strain: np.ndarray) -> None:
        self.rows.shifts = self._shifts @ torch.from_numpy(strain).to(self.device)
        self._follow_cell(cell)

    def _follow_cell(self, cell: np.ndarray) -> None:
        self._cell = cell.copy()
        volume = abs(np.linalg.det(cell))  # Å^3
        if volume <= FLAT * np.linalg.norm(cell, axis=1).prod():
            volume = 0.0
        self.volume = torch.tensor(volume, dtype=torch.float64, device=self.device)
        self.changes += 1

    def _build(self, atoms: Atoms) -> None:
        elements = elements_of(one_configuration(atoms), self.species)
        reach = self.cutoff + self.skin
        search = NeighborList(cutoff=reach, full_list=False, n_threads=torch.get_num_threads())
        cell = atoms.cell.array
        i, j, S = search.compute(atoms.positions, cell, atoms.pbc, quantities="ijS", copy=False)
        i, j = i.astype(np.int64), j.astype(np.int64)
        # How many cells away an image may be: (3,).
        most = [max(n.max(initial=0), -n.min(initial=0)) for n in S.T]
        offsets = np.stack(
            np.meshgrid(*(np.arange(-n, n + 1) for n in most), indexing="ij"), axis=-1
        ).reshape(-1, 3)  # (images, 3), numbered so that opposite ones add up to the last
        images = np.zeros(len(S), np.int32)  # (pairs,)
        for axis in range(3):
            images *= 2 * most[axis] + 1
            images += S[:, axis] + most[axis]
        del S, search  # they take as much memory as the rows
        self.rows = make_rows(
            i,
            j,
            images,
            offsets @ cell,
            atoms.positions,
            elements,
            len(self.species),
        )
        self._nearest, others = nearest_neighbours(self.rows, atoms.positions)  # (atoms,)
        if len(atoms):
            first = int(self._nearest.argmin())
            pair = first, int(others[first])
            refuse_coincident(atoms.get_chemical_formula(), self._nearest[first], *pair)
        self.rows = self.rows.to(self.device)
        self.elements = torch.from_numpy(elements).to(self.device)  # (atoms,)
        self._shifts = self.rows.shifts
        self._follow_cell(cell)
        self.__dict__.pop("reverse", None)
        self._lattice = cell * atoms.pbc[:, None]  # (3, 3), no vector where it is not periodic
        self._inverse = np.linalg.pinv(self._lattice)
        self.built_from = atoms
        self.builds += 1


def _refuse_not_finite(atoms: Atoms) -> None:
    """An atom at NaN is within no cut-off of any other: it would be left out silently."""
    finite = np.isfinite(atoms.positions)  # (atoms, 3)
    if not finite.all():
        atom = np.flatnonzero(~finite.all(1))[0]
        x, y, z = atoms.positions[atom]
        raise InputError(
            f"{atoms.get_chemical_formula()}: expected finite coordinates, got ({x:g}, {y:g}, "
            f"{z:g}) Å for atom {atom}; go back to a good structure, and take a shorter time step "
            "if it comes from dynamics"
        )


def _refuse_flat(atoms: Atoms) -> None:
    """Periodic directions need lattice vectors that are independent of each other."""
    vectors = atoms.cell.array[atoms.pbc]  # (periodic directions, 3)
    lengths = np.linalg.norm(vectors, axis=1)
    good = bool(np.isfinite(atoms.cell.array).all() and (lengths >= SHORTEST).all())
    if good and len(vectors):
        units = vectors / lengths[:, None]
        good = bool(np.linalg.det(units @ units.T) >= FLAT**2)
    if not good:
        raise InputError(
            f"{atoms.get_chemical_formula()}: expected lattice vectors of {SHORTEST:g} Å or more, "
            "not in one plane, in every periodic direction, got the cell "
            f"{atoms.cell.array.round(4).tolist()} for pbc {atoms.pbc.tolist()}; correct the cell, "
            "or set pbc to false where the system is not periodic"
        )


def _refuse_coincident(atoms: Atoms, some: np.ndarray) -> None:
    """Refuse two atoms at one place among some of a structure's."""
    search = NeighborList(cutoff=10 * COINCIDENT, full_list=False, n_threads=1)
    cell, positions = atoms.cell.array, atoms.positions[some]
    i, j, d = search.compute(positions, cell, atoms.pbc, quantities="ijd")
    if len(d):
        n = d.argmin()
        pair = int(some[i[n]]), int(some[j[n]])
        refuse_coincident(atoms.get_chemical_formula(), float(d[n]), *pair)


def one_configuration(atoms: Atoms) -> Dataset:
    """An ASE structure as a dataset of one configuration without labels."""
    return Dataset(
        name="ase",
        species=atoms.numbers.astype(np.uint8),
        positions=atoms.positions,
        offsets=np.array([0, len(atoms)]),
        cells=atoms.cell.array[None],
        periodic=atoms.pbc[None],
        groups=np.zeros(1, np.int64),
        splits=np.zeros(1, np.uint8),
        labels={},
        provenance={},
    )


class VerletBatch(PairList):
    """The neighbours in several structures, kept up to date as their atoms move."""

    volumes: torch.Tensor  # (systems,) Å^3
    systems: torch.Tensor  # (atoms,) int64, the structure each atom belongs to

    def __init__(self, *arguments, **options) -> None:
        """An empty list; arguments are those of ``PairList``."""
        super().__init__(*arguments, **options)
        self.lists: list[VerletList] = []
        self._joined: list[int] = []  # changes of each list when they were joined

    def update(self, structures: Sequence[Atoms]) -> None:
        """Make it the list of these structures.

        Raises:
            InputError: as ``VerletList.update``.
        """
        options = (self.species, self.cutoff, self.skin, self.dtype, self.device)
        while len(self.lists) < len(structures):
            self.lists.append(VerletList(*options))
        lists = self.lists[: len(structures)]
        for each, atoms in zip(lists, structures, strict=True):
            each.update(atoms)
        changed = [each.changes for each in lists]
        if changed != self._joined:
            self._join(lists)
            self._joined = changed
        self.positions = torch.cat([each.positions for each in lists])  # (atoms, 3)

    @cached_property
    def reverse(self) -> torch.Tensor:
        """For the slot of (i ← j) that of (j ← i): (atoms * neighbours,) int64."""
        atoms, width = self.rows.senders.shape
        out = torch.arange(atoms * width, device=self.device).view(atoms, width)
        for part, first in self._parts:
            part_width = part.rows.senders.shape[1]
            if part_width == 0:  # nobody has a neighbour
                continue
            slots = part.reverse.view(-1, part_width)  # (atoms of this list, its neighbours)
            rows = slots // part_width + first
            out[first : first + len(slots), :part_width] = rows * width + slots % part_width
        return out.flatten()

    def _join(self, lists: Sequence[VerletList]) -> None:
        atoms_of_each = [len(each.elements) for each in lists]
        sizes = torch.tensor(atoms_of_each, device=self.device)  # (systems,)
        first_atoms = (sizes.cumsum(0) - sizes).tolist()
        self._parts = list(zip(lists, first_atoms, strict=True))
        self.elements = torch.cat([each.elements for each in lists])  # (atoms,)
        self.systems = torch.repeat_interleave(sizes)  # (atoms,)
        self.volumes = torch.stack([each.volume for each in lists])
        self.volume = self.volumes.sum()

        width = max(each.rows.senders.shape[1] for each in lists)
        # Unused slots name the atom of the row.
        atoms = torch.arange(len(self.elements), dtype=torch.int32, device=self.device)
        senders = atoms[:, None].repeat(1, width)  # (atoms, neighbours)
        images = torch.zeros_like(senders)  # (atoms, neighbours)
        first_image = 0
        for part, first in self._parts:
            number, part_width = part.rows.senders.shape
            senders[first : first + number, :part_width] = part.rows.senders + first
            images[first : first + number, :part_width] = part.rows.images + first_image
            first_image += len(part.rows.shifts)
        bounds = torch.cat([each.rows.bounds for each in lists])
        self.rows = Rows(senders, images, bounds, torch.cat([each.rows.shifts for each in lists]))
        self.__dict__.pop("reverse", None)
