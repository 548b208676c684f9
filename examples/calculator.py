"""A model family of one's own: the Morse potential of aluminium as an ASE calculator.

L. A. Girifalco and V. G. Weizer, Phys. Rev. 114, 687 (1959): V(d) = D (x² − 2x) with
x = exp(−α (d − r₀)), fitted to lattice constant, cohesive energy and compressibility.
"""

import numpy as np
from ase.calculators.calculator import Calculator, all_changes
from ase.neighborlist import neighbor_list


class Morse(Calculator):
    """Energy and atomic energies in eV, forces in eV/Å; half of a pair's energy is each atom's."""

    implemented_properties = ("energy", "energies", "forces")

    def __init__(
        self, depth: float = 0.2703, alpha: float = 1.1646, rest: float = 3.253, cutoff: float = 9.0
    ) -> None:
        """A pair at rest is ``depth`` eV deep; ``alpha`` in 1/Å, ``rest`` and ``cutoff`` in Å."""
        super().__init__()
        self.depth, self.alpha, self.rest, self.cutoff = depth, alpha, rest, cutoff

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:
        """ASE's entry point: fills ``results``."""
        super().calculate(atoms, properties, system_changes)
        # Every pair stands here twice, as (i, j) and as (j, i), with the vector from i to j.
        i, distances, vectors = neighbor_list("idD", self.atoms, self.cutoff)
        energies, slopes = self._pair(distances)
        energies -= self._pair(self.cutoff)[0]  # so that energies do not jump at the cut-off
        pulls = (slopes / distances)[:, None] * vectors  # (pairs, 3), on atom i
        atomic, forces = np.zeros(len(self.atoms)), np.zeros((len(self.atoms), 3))
        np.add.at(atomic, i, energies / 2)
        np.add.at(forces, i, pulls)
        self.results = {"energy": atomic.sum(), "energies": atomic, "forces": forces}

    def _pair(self, distances: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
        """Energies of pairs, and their derivatives by the distance."""
        x = np.exp(-self.alpha * (distances - self.rest))
        return self.depth * (x**2 - 2 * x), 2 * self.depth * self.alpha * (x - x**2)
