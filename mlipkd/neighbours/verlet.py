"""Verlet lists: neighbours a little beyond the cut-off, used until an atom has moved too far.

L. Verlet, Phys. Rev. 159, 98 (1967). While no atom has moved by half the skin since the list was
made, no pair can have come from outside the list to inside the cut-off, and only the vectors of its
pairs are computed anew.

A barostat strains the cell at every step, and the atoms with it. Let the strain F (row vectors: new
lattice = old lattice · F) take a pair from d to d F + Δ, where Δ is how the two atoms have moved
besides, by m each at most. A pair that is now within the cut-off was then within (cut-off + 2 m) /
σ, σ the least singular value of F; while that is within the list's reach, the list still holds.

Several structures whose atoms move, as one list: what a batch of trajectories needs.

Every structure has its own Verlet list, made anew when its own atoms have moved too far; the lists
stand one below the other, so that a model sees one system of pairs that never cross over.
"""

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from ase import Atoms
from vesin import NeighborList

from mlipkd.datasets.dataset import Dataset
from mlipkd.errors import InputError
from mlipkd.hipnn.batch import Batch, elements_of
from mlipkd.neighbours.rows import Pairs, Rows, make_rows, reverse_slots, within


class PairList:
    """Rows of neighbours, and where their atoms are now."""

    rows: Rows
    elements: torch.Tensor  # (atoms,) int64, which of the model's elements each atom is
    volume: torch.Tensor  # Å^3
    positions: torch.Tensor  # (atoms, 3) float64, Å

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
            skin: how far beyond the cut-off the list reaches, Å; zero makes it anew each time.
            dtype: precision of the vectors.
            device: where pairs are kept.
        """
        self.species, self.cutoff, self.skin, self.dtype = species, cutoff, skin, dtype
        self.device = torch.device(device)

    def pairs(self, chunk: slice, leading: bool) -> Pairs:
        """The pairs of some of the atoms, from the first to the last of a chunk.

        Those that are farther apart than the cut-off are left out; but where it is asked where
        pairs lead (``leading``, see ``batch``) all stand where ``reverse`` expects them.
        """
        cutoff = math.inf if leading else self.cutoff
        far = 2 * (self.cutoff + self.skin)
        return within(self.rows, chunk, self.positions, cutoff, far, self.dtype)

    def batch(self, chunk: slice, pairs: Pairs, leading: bool) -> Batch:
        """Some of the atoms as a batch of one system.

        Where its pairs lead, which later layers ask for, only a batch of all atoms can know.
        """
        elements = self.elements[chunk]
        systems, size = torch.zeros_like(elements), torch.tensor([len(elements)])
        return Batch(
            elements=elements,
            systems=systems,
            sizes=size.to(self.device),
            volumes=self.volume[None],
            vectors=pairs.vectors,
            senders=pairs.senders.long() if leading else systems[:0],
            bounds=pairs.bounds,
            reverse=self.reverse if leading else systems[:0],
        )

    @cached_property
    def reverse(self) -> torch.Tensor:
        """For the slot of (i ← j) that of (j ← i): (atoms * neighbours,) int64."""
        return reverse_slots(self.rows)


class VerletList(PairList):
    """The neighbours in one structure, kept up to date as its atoms move."""

    made_of: Atoms | None = None
    times_made = 0
    times_changed = 0
    """Made, or strained with the cell."""

    def update(self, atoms: Atoms) -> None:
        """Let it be the list of this structure.

        Raises:
            InputError: coordinates that are not finite, or an element that the model does not know.
        """
        _refuse_not_finite(atoms)
        positions = self._followed(atoms)
        if positions is None:
            # Within the cell, or the table of images grows as atoms diffuse.
            wrapped = atoms.copy()
            wrapped.wrap()
            self._make(wrapped)
            positions = wrapped.positions
        self.positions = torch.from_numpy(positions).to(self.device)  # (atoms, 3)

    def _followed(self, atoms: Atoms) -> np.ndarray | None:
        """The positions (atoms, 3) while the list holds for them.

        A program may have put atoms back into the cell since: taken are the images that are nearest
        to where the atoms were when the list was made, strained like the cell.
        """
        old, strain = self.made_of, self._strain(atoms)
        if old is None or strain is None:
            return None
        expected = old.positions @ strain
        moved = atoms.positions - expected
        inverse, lattice = np.linalg.inv(strain) @ self._inverse, self._lattice @ strain  # (3, 3)
        moved -= np.rint(moved @ inverse) @ lattice
        farthest = math.sqrt((moved**2).sum(1).max(initial=0))
        least = np.linalg.svd(strain, compute_uv=False)[-1]
        if (self.cutoff + 2 * farthest) / least >= self.cutoff + self.skin:
            return None
        if not np.array_equal(atoms.cell.array, self._cell):
            self._deform(atoms.cell.array, strain)
        return expected + moved

    def _strain(self, atoms: Atoms) -> np.ndarray | None:
        """What has become of the cell since the list was made: (3, 3); none if it is of other
        atoms."""
        old = self.made_of
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
        self.volume = torch.tensor(abs(np.linalg.det(cell)), device=self.device)  # Å^3
        self.times_changed += 1

    def _make(self, atoms: Atoms) -> None:
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
        del S, search  # pairs as they were found, as much memory as all that is kept of them
        self.rows = make_rows(
            i,
            j,
            images,
            offsets @ cell,
            atoms.positions,
            elements,
            len(self.species),
        ).to(self.device)
        self.elements = torch.from_numpy(elements).to(self.device)  # (atoms,)
        self._shifts = self.rows.shifts
        self._follow_cell(cell)
        self.__dict__.pop("reverse", None)
        self._lattice = cell * atoms.pbc[:, None]  # (3, 3), no vector where it is not periodic
        self._inverse = np.linalg.pinv(self._lattice)
        self.made_of = atoms
        self.times_made += 1


def _refuse_not_finite(atoms: Atoms) -> None:
    """No distance to an atom that is nowhere is within a cut-off: it would be left out silently."""
    finite = np.isfinite(atoms.positions)  # (atoms, 3)
    if not finite.all():
        atom = np.flatnonzero(~finite.all(1))[0]
        x, y, z = atoms.positions[atom]
        raise InputError(
            f"{atoms.get_chemical_formula()}: expected finite coordinates, got ({x:g}, {y:g}, "
            f"{z:g}) Å for atom {atom}; go back to a sound structure, and take a shorter time step "
            "if it comes from dynamics"
        )


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

    def __init__(self, *options, **more) -> None:
        """An empty list; arguments are those of ``PairList``."""
        super().__init__(*options, **more)
        self.lists: list[VerletList] = []
        self._joined: list[int] = []

    def update(self, structures: Sequence[Atoms]) -> None:
        """Let it be the list of these structures.

        Raises:
            InputError: coordinates that are not finite, or an element that the model does not know.
        """
        options = (self.species, self.cutoff, self.skin, self.dtype, self.device)
        while len(self.lists) < len(structures):
            self.lists.append(VerletList(*options))
        own = self.lists[: len(structures)]
        for one, atoms in zip(own, structures, strict=True):
            one.update(atoms)
        changed = [one.times_changed for one in own]
        if changed != self._joined:
            self._join(own)
            self._joined = changed
        self.positions = torch.cat([one.positions for one in own])  # (atoms, 3)

    @cached_property
    def reverse(self) -> torch.Tensor:
        """For the slot of (i ← j) that of (j ← i): (atoms * neighbours,) int64."""
        atoms, width = self.rows.senders.shape
        out = torch.arange(atoms * width, device=self.device).view(atoms, width)
        for one, first in self._parts:
            own = one.rows.senders.shape[1]
            slots = one.reverse.view(-1, own)  # (atoms of this one, its neighbours)
            out[first : first + len(slots), :own] = (slots // own + first) * width + slots % own
        return out.flatten()

    def _join(self, lists: Sequence[VerletList]) -> None:
        sizes = torch.tensor([len(one.elements) for one in lists], device=self.device)  # (systems,)
        first_atoms = (sizes.cumsum(0) - sizes).tolist()
        self._parts = list(zip(lists, first_atoms, strict=True))
        self.elements = torch.cat([one.elements for one in lists])  # (atoms,)
        self.systems = torch.repeat_interleave(sizes)  # (atoms,)
        self.volumes = torch.stack([one.volume for one in lists])
        self.volume = self.volumes.sum()

        width = max(one.rows.senders.shape[1] for one in lists)
        # Slots that are left name their own atom.
        atoms = torch.arange(len(self.elements), dtype=torch.int32, device=self.device)
        senders = atoms[:, None].repeat(1, width)  # (atoms, neighbours)
        images = torch.zeros_like(senders)  # (atoms, neighbours)
        first_image = 0
        for one, first in self._parts:
            number, own = one.rows.senders.shape
            senders[first : first + number, :own] = one.rows.senders + first
            images[first : first + number, :own] = one.rows.images + first_image
            first_image += len(one.rows.shifts)
        bounds = torch.cat([one.rows.bounds for one in lists])
        self.rows = Rows(senders, images, bounds, torch.cat([one.rows.shifts for one in lists]))
        self.__dict__.pop("reverse", None)
