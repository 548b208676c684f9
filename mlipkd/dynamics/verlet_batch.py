"""Several structures whose atoms move, as one list: what a batch of trajectories needs.

Every structure has its own Verlet list, made anew when its own atoms have moved too far; the lists
stand one below the other, so that a model sees one system of pairs that never cross over.
"""

from collections.abc import Sequence
from functools import cached_property

import torch
from ase import Atoms

from mlipkd.dynamics.verlet import PairList, VerletList
from mlipkd.hipnn.kernels import verlet


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
        self.rows = verlet.Rows(
            senders, images, bounds, torch.cat([one.rows.shifts for one in lists])
        )
        self.__dict__.pop("reverse", None)
