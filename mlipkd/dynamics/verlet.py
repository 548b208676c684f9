"""Verlet lists: neighbours a little beyond the cut-off, used until an atom has moved too far.

L. Verlet, Phys. Rev. 159, 98 (1967). While no atom has moved by half the skin since the list was
made, no pair can have come from outside the list to inside the cut-off, and only the vectors of its
pairs are computed anew.
"""

from collections.abc import Sequence

import numpy as np
import torch
from ase import Atoms

from mlipkd.datasets.dataset import Dataset
from mlipkd.hipnn.batch import Batch, Batcher


class VerletList:
    """The batch of one structure, kept up to date as its atoms move."""

    def __init__(
        self, species: Sequence[int], cutoff: float, skin: float, dtype: torch.dtype
    ) -> None:
        """An empty list.

        Args:
            species: atomic numbers that the model knows, ascending.
            cutoff: Å.
            skin: how far beyond the cut-off the list reaches, Å; zero makes it anew each time.
            dtype: precision of the vectors.
        """
        self.species, self.cutoff, self.skin, self.dtype = species, cutoff, skin, dtype
        self.made_of: Atoms | None = None
        self.times_made = 0

    def batch(self, atoms: Atoms) -> Batch:
        """The structure as a batch, with its vectors.

        Raises:
            InputError: an element that the model does not know.
        """
        positions = torch.from_numpy(atoms.get_positions())  # (atoms, 3) float64
        if not self._holds_for(atoms):
            self._make(atoms, positions)
        vectors = positions[self._batch.senders] - positions[:, None] + self._shifts
        self._batch.vectors = vectors.to(self.dtype)  # (atoms, neighbours, 3)
        return self._batch

    def _holds_for(self, atoms: Atoms) -> bool:
        old = self.made_of
        if (
            old is None
            or not np.array_equal(old.numbers, atoms.numbers)
            or not np.array_equal(old.cell.array, atoms.cell.array)
            or not np.array_equal(old.pbc, atoms.pbc)
        ):
            return False
        moved = ((atoms.positions - old.positions) ** 2).sum(1).max(initial=0)
        return moved < (self.skin / 2) ** 2

    def _make(self, atoms: Atoms, positions: torch.Tensor) -> None:
        reach = self.cutoff + self.skin
        batcher = Batcher(one_configuration(atoms), self.species, reach, torch.float64)
        self._batch = batcher.batch(torch.tensor([0]))
        # What periodic images add to R_j - R_i, and what takes a slot that is only filled up away.
        self._shifts = self._batch.vectors - (
            positions[self._batch.senders] - positions[:, None]
        )  # (atoms, neighbours, 3)
        self.made_of = atoms.copy()
        self.times_made += 1


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
