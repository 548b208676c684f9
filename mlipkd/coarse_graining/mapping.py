"""The mapping: every atom belongs to one bead, whose position is the centre of mass of its atoms.

W. G. Noid et al., J. Chem. Phys. 128, 244114 (2008): with the bead I at R_I = Σ_i c_Ii r_i, a force
field of beads whose forces are the mean of

    F_I = Σ_i (d_Ii / c_Ii) f_i,    Σ_i d_Ii = 1, d_Ii only of atoms that belong to I alone,

samples the beads as the atoms' dynamics does. For a centre of mass c_Ii = m_i / M_I; with d = c,
the force of a bead is the sum of its atoms' forces. It holds where each atom is in exactly one bead
and where no constraint joins atoms of two beads; constraints within a bead cancel from its sum.
"""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array

from mlipkd.datasets.dataset import Bead
from mlipkd.errors import InputError

#: Beads of one species may differ by this fraction of their mass.
MASS_TOLERANCE = 1e-4
#: Most kinds of residues named in a message.
MOST_NAMED = 5


@dataclass(frozen=True)
class Mapping:
    """Which bead each atom belongs to."""

    beads: tuple[Bead, ...]
    """The species of beads."""
    species: np.ndarray
    """(beads,) species of each bead, from 1."""
    owner: np.ndarray
    """(atoms,) the bead that each atom belongs to."""
    masses: np.ndarray
    """(atoms,) u."""

    @cached_property
    def sum(self) -> csr_array:
        """(beads, atoms) matrix that sums over the atoms of each bead."""
        atoms = len(self.owner)
        ones, indices = np.ones(atoms), (self.owner, np.arange(atoms))
        return csr_array((ones, indices), shape=(len(self.species), atoms))

    @cached_property
    def first(self) -> np.ndarray:
        """(atoms,) the first atom of each atom's bead."""
        return np.unique(self.owner, return_index=True)[1][self.owner]

    def centres(self, positions: np.ndarray) -> np.ndarray:
        """Centres of mass (beads, 3) of atoms at (atoms, 3), none of whose beads a cell divides."""
        moments = self.sum @ (self.masses[:, None] * positions)  # (beads, 3)
        return moments / (self.sum @ self.masses)[:, None]

    def forces(self, forces: np.ndarray) -> np.ndarray:
        """Forces of the beads (beads, 3), from those of the atoms (atoms, 3)."""
        return self.sum @ forces


def mapping(
    place: str,
    selected: dict[str, np.ndarray],
    residues: np.ndarray,
    names: np.ndarray,
    masses: np.ndarray,
) -> Mapping:
    """The mapping with a bead for the atoms that each selection takes of each residue.

    Beads are in the order of their residues, and within a residue in that of the selections.

    Args:
        place: where the atoms come from, for messages.
        selected: (selected atoms,) numbers of the atoms, by the name of the bead.
        residues: (atoms,) number of each atom's residue.
        names: (atoms,) name of each atom's residue.
        masses: (atoms,) u.

    Raises:
        InputError: a selection without atoms, an atom in no bead or in two, or beads of one name
            that differ in mass.
    """
    kind = np.full(len(residues), -1)  # (atoms,)
    for number, (name, atoms) in enumerate(selected.items()):
        if len(atoms) == 0:
            raise InputError(
                f"{place}: expected atoms of the bead {name!r}, got none: its selection takes none "
                f"of the residues {_named(residues, names)}; fix the selection"
            )
        twice = atoms[kind[atoms] >= 0]  # (atoms of two beads,)
        if len(twice):
            others = {list(selected)[other] for other in kind[twice]}
            raise InputError(
                f"{place}: expected every atom in one bead, got {len(twice)} of "
                f"{_named(residues[twice], names[twice])} in {name!r} and in "
                f"{', '.join(map(repr, sorted(others)))}; fix the selections"
            )
        kind[atoms] = number
    missing = np.flatnonzero(kind < 0)
    if len(missing):
        raise InputError(
            f"{place}: expected every atom in one bead, got {len(missing)} of "
            f"{_named(residues[missing], names[missing])} in none; fix the selections, or give "
            "them a bead: forces of beads are not consistent without them"
        )
    residue_and_kind, owner = np.unique(np.stack([residues, kind]), axis=1, return_inverse=True)
    owner = owner.ravel()
    species = residue_and_kind[1] + 1  # (beads,)
    bead_masses = np.bincount(owner, weights=masses)  # (beads,)
    beads = tuple(
        Bead(name, _mass_of(place, name, bead_masses[species == number]))
        for number, name in enumerate(selected, start=1)
    )
    return Mapping(beads, species, owner, masses)


def _mass_of(place: str, name: str, masses: np.ndarray) -> float:
    lightest, heaviest = masses.min(), masses.max()
    if not 0 < lightest <= heaviest <= lightest * (1 + MASS_TOLERANCE):
        raise InputError(
            f"{place}: expected beads {name!r} of one mass above 0, got {lightest:.6g} to "
            f"{heaviest:.6g} u; give beads that differ a name of their own"
        )
    return float(masses.mean())


def _named(residues: np.ndarray, names: np.ndarray) -> str:
    """The names of the residues of some atoms, and how many of each there are."""
    _, first = np.unique(residues, return_index=True)
    counts = Counter(names[first].tolist()).most_common()
    listed = ", ".join(f"{name} ({count} residues)" for name, count in counts[:MOST_NAMED])
    return listed + (f" and {len(counts) - MOST_NAMED} more" if len(counts) > MOST_NAMED else "")
