"""Sums of forces: net force and torque; and forces of exactly zero that no symmetry explains.

The energy of atoms without an external field does not change when all are moved together, nor when
a free molecule is turned: forces add up to zero, and so do the torques of a free system about its
centroid. What is left is an error of the labels. If the atoms' errors e_i are independent and of
size e, the sums are about √n e and e √(Σ r²): divided by these roots they say how large e is.

A force is exactly zero by symmetry, or because it was not computed or a constraint put zero there.
Symmetry makes the unit vectors to an atom's bonded neighbours cancel as well, which tells the two
apart. Atoms without bonds may be beyond the range of their neighbours' forces, and are passed over.
"""

from dataclasses import dataclass

import numpy as np
from ase.data import covalent_radii
from vesin import NeighborList

from mlipkd.checks.positions_and_labels import fault_lines
from mlipkd.datasets.dataset import Dataset

#: Errors of forces that are told, eV/Å: those of good models are of this size.
TOLD = 0.05
#: Errors that are refused: this large, eV/Å, and this part of the configuration's forces. Published
#: sets whose forces did not converge well stay below; forces that are unrelated reach 1.
REFUSED, REFUSED_PART = 0.3, 0.3
#: Bonds are up to this many sums of covalent radii long.
BOND = 1.4
#: Length of the sum of unit vectors to bonded neighbours from which on they do not cancel. Rounding
#: of positions to 1e-3 Å gives less, heat a hundred times more.
LOPSIDED = 0.01
#: Where some atoms only have a force of zero: that many of them, and that large a root mean square
#: of all forces, eV/Å. Rounded forces of relaxed structures may be zero by chance.
FEWEST_ZEROS, NOT_RELAXED = 2, 0.05
#: Configurations with zeros that are looked at.
LOOKED_AT = 2000


@dataclass(frozen=True)
class Sums:
    """What is left of the forces' sums, as an error of each atom's force; NaN if unknown."""

    force: np.ndarray
    """(configurations,) |Σ F|/√n, eV/Å."""
    torque: np.ndarray
    """(configurations,) |Σ r × F|/√(Σ r²), eV/Å; NaN for periodic systems."""
    size: np.ndarray
    """(configurations,) root mean square of |F|, eV/Å."""

    def faults(self, dataset: Dataset) -> list[str]:
        """Configurations whose sums are too far from zero for forces of one method."""
        return [
            line
            for what, left in (("net force", self.force), ("torque", self.torque))
            for line in self._faults(dataset, what, left)
        ]

    def _faults(self, dataset: Dataset, what: str, left: np.ndarray) -> list[str]:
        return fault_lines(
            dataset,
            np.flatnonzero((left > REFUSED) & (left > REFUSED_PART * self.size)),
            lambda m: (
                f"expected forces without a {what}, got one like an error of {left[m]:.3g} eV/Å in "
                f"each atom's force (rms force {self.size[m]:.3g} eV/Å); see whether forces are "
                "complete, in the order and axes of the atoms and without an external field, or "
                "remove the configuration"
            ),
        )

    def facts(self, dataset: Dataset) -> list[tuple[str, str]]:
        """The largest of each, and how many are worth a look."""
        return [
            (
                what,
                f"up to {np.nanmax(left):.2g} eV/Å of error in each force, in "
                f"{dataset.place(int(np.nanargmax(left)))}; above {TOLD} eV/Å in "
                f"{int((left > TOLD).sum())} of {np.isfinite(left).sum()} configurations",
            )
            for what, left in (("net force", self.force), ("net torque", self.torque))
            if np.isfinite(left).any()
        ]


def sums(dataset: Dataset) -> Sums | None:
    """What is left of forces and torques; none without forces, or of beads."""
    forces = dataset.labels["reference"].get("forces")  # (atoms, 3)
    if forces is None or dataset.beads:
        return None
    starts, sizes = dataset.offsets[:-1], dataset.sizes
    net = np.linalg.norm(np.add.reduceat(forces, starts), axis=1)
    centroids = np.add.reduceat(dataset.positions, starts) / sizes[:, None]
    arms = dataset.positions - np.repeat(centroids, sizes, axis=0)  # (atoms, 3)
    turning = np.linalg.norm(np.add.reduceat(np.cross(arms, forces), starts), axis=1)
    arm = np.sqrt(np.add.reduceat((arms**2).sum(1), starts))  # (configurations,)
    turns = (sizes > 1) & ~dataset.periodic.any(1)
    torque = np.full(len(dataset), np.nan)
    torque[turns] = turning[turns] / arm[turns]
    size = np.sqrt(np.add.reduceat((forces**2).sum(1), starts) / sizes)
    return Sums(net / np.sqrt(sizes), torque, size)


def zero_forces(dataset: Dataset) -> list[str]:
    """Configurations with forces that are exactly zero, and not by symmetry.

    Not of stationary points, which have Hessians.
    """
    reference = dataset.labels["reference"]
    if "forces" not in reference or "hessian" in reference or dataset.beads:
        return []
    zero = (reference["forces"] == 0).all(1)  # (atoms,)
    zeros = np.add.reduceat(zero.astype(int), dataset.offsets[:-1])  # (configurations,)
    squares = np.add.reduceat((reference["forces"] ** 2).sum(1), dataset.offsets[:-1])
    every = zeros == dataset.sizes
    hot = squares > NOT_RELAXED**2 * dataset.sizes
    suspects = np.flatnonzero((every | (hot & (zeros >= FEWEST_ZEROS))) & (dataset.sizes > 1))
    if len(suspects) > LOOKED_AT:
        suspects = suspects[np.linspace(0, len(suspects) - 1, LOOKED_AT).astype(int)]
    number = {m: _lopsided(dataset, m, zero) for m in suspects.tolist()}
    lopsided = np.fromiter(number.values(), int, len(number))
    whole = suspects[every[suspects] & (lopsided > 0)]
    partly = suspects[~every[suspects] & (lopsided >= FEWEST_ZEROS)]
    return [
        *fault_lines(
            dataset,
            whole,
            lambda m: (
                "expected forces of atoms off their balance, got exactly zero for all atoms, which "
                "no symmetry explains; remove the configuration, or give it its forces"
            ),
        ),
        *fault_lines(
            dataset,
            partly,
            lambda m: (
                f"expected forces of atoms off their balance, got exactly zero for {number[m]} of "
                f"{dataset.sizes[m]} atoms, as a constraint leaves them (FixAtoms, move_mask, "
                "selective dynamics); write forces without it, by ASE with "
                "get_forces(apply_constraint=False), or remove the configuration"
            ),
        ),
    ]


def _lopsided(dataset: Dataset, m: int, zero: np.ndarray) -> int:
    """How many atoms of a configuration with a force of zero have bonds that do not cancel."""
    atoms = slice(*dataset.offsets[m : m + 2])
    radii = covalent_radii[dataset.species[atoms]]  # (atoms,)
    search = NeighborList(cutoff=2 * BOND * radii.max(), full_list=True, n_threads=1)
    first, second, distance, vectors = search.compute(
        dataset.positions[atoms], dataset.cells[m], dataset.periodic[m], quantities="ijdD"
    )
    bonded = distance < BOND * (radii[first] + radii[second])
    units = vectors[bonded] / distance[bonded, None]  # (bonds, 3)
    pull = np.zeros((len(radii), 3))
    np.add.at(pull, first[bonded], units)
    return int((zero[atoms] & (np.linalg.norm(pull, axis=1) > LOPSIDED)).sum())
