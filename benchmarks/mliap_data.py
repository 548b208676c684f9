"""LAMMPS's side of ``pair_style mliap unified``, without LAMMPS: what it hands over and takes back.

Written after the interface, for tests and comparisons: ghosts are atoms of their own, pairs are
listed for each atom in both directions, forces on ghosts go to the atoms that they are images of.
LAMMPS's own example, ``MLIAPUnifiedLJ``, is right with it (tests/unit/deploy/test_mliap.py).
"""

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from vesin import NeighborList


class MLIAPData:
    """One structure as the pair style sees it on one process."""

    eatoms: np.ndarray  # (listed atoms,)
    energy = np.nan

    def __init__(
        self, atoms: Atoms, elements: Sequence[str], reach: float, ghosts_too: bool = False
    ) -> None:
        """Find ghosts and pairs.

        Args:
            atoms: a structure.
            elements: symbols in the order of ``pair_coeff``.
            reach: how far apart the atoms of a pair are at most, Å.
            ghosts_too: whether the pairs (ghost, atom) are listed, too.
        """
        i, j, S, rij = NeighborList(cutoff=reach, full_list=True).compute(
            atoms.positions, atoms.cell.array, atoms.pbc, quantities="ijSD"
        )
        i, j = i.astype(np.int32), j.astype(np.int32)
        images, image = np.unique(np.column_stack([j, S]), axis=0, return_inverse=True)
        ghost = images[:, 1:].any(axis=1)
        self.owners = np.concatenate([np.arange(len(atoms)), images[ghost, 0]])
        names = np.where(ghost, len(atoms) + np.cumsum(ghost) - 1, images[:, 0]).astype(np.int32)
        j = names[image.reshape(-1)]
        # In an order that is nobody's: not that of the atoms, nor by distance.
        self.iatoms = np.random.default_rng(0).permutation(len(atoms)).astype(np.int32)
        order = np.argsort(np.argsort(self.iatoms)[i], kind="stable")
        i, j, rij = i[order], j[order], rij[order]
        if ghosts_too:
            back = j >= len(atoms)
            i, j = np.concatenate([i, j[back]]), np.concatenate([j, i[back]])
            rij = np.concatenate([rij, -rij[back]])
        number = {symbol: place for place, symbol in enumerate(elements)}
        symbols = [number[symbol] for symbol in atoms.symbols]
        self.elems = np.array(symbols, np.int32)[self.owners]
        self.nlistatoms, self.ntotal, self.npairs = len(atoms), len(self.owners), len(i)
        # Before it has made arrays for pairs, LAMMPS has none to show.
        self.pair_i, self.pair_j, self.rij = (i, j, rij) if len(i) else (None, None, None)
        self._f, self.virial = np.zeros((self.ntotal, 3)), np.zeros((3, 3))

    def update_pair_forces(self, fij: np.ndarray) -> None:
        """Add the forces of pairs (pairs, 3), eV/Å, and their virial, eV."""
        assert fij.dtype == np.float64 and fij.flags.c_contiguous and fij.shape == self.rij.shape
        np.add.at(self._f, self.pair_i, fij)
        np.add.at(self._f, self.pair_j, -fij)
        self.virial -= self.rij.T @ fij

    def update_pair_energy(self, eij: np.ndarray) -> None:
        """Set energies from those of pairs (pairs,), half of each."""
        self.energy = eij.sum() / 2

    @property
    def forces(self) -> np.ndarray:
        """(atoms, 3), eV/Å, with those of the ghosts."""
        forces = np.zeros((self.nlistatoms, 3))
        np.add.at(forces, self.owners, self._f)
        return forces

    @property
    def energies(self) -> np.ndarray:
        """(atoms,), eV."""
        energies = np.empty(self.nlistatoms)
        energies[self.iatoms] = self.eatoms
        return energies
