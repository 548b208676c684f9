"""Normal modes of free molecules: the mass-weighted Hessian without translation and rotation.

At positions that are not stationary, rotation would mix with the modes if it were left in; it is
projected out there, too.
"""

import math

import numpy as np
from ase import units
from scipy.linalg import null_space

#: Atoms no farther from a line than this, over their extent along it, are taken for linear.
LINEAR = 1e-2
#: Quantum of an oscillator of eigenvalue 1 eV/(Å² u), 1/cm.
QUANTUM = units._hbar * units.J * units.s / units.invcm


def hessian_matrix(blocks: np.ndarray) -> np.ndarray:
    """A Hessian as a matrix (3 atoms, 3 atoms), of its blocks (pairs of atoms, 3, 3)."""
    atoms = math.isqrt(len(blocks))
    return blocks.reshape(atoms, atoms, 3, 3).swapaxes(1, 2).reshape(3 * atoms, 3 * atoms)


def hessian_blocks(hessian: np.ndarray) -> np.ndarray:
    """A Hessian as blocks (atoms, atoms, 3, 3), of its matrix (3 atoms, 3 atoms)."""
    atoms = len(hessian) // 3
    return hessian.reshape(atoms, 3, atoms, 3).swapaxes(1, 2)


def rigid_motions(positions: np.ndarray) -> np.ndarray:
    """Displacements of translation, then of rotation about the centroid, by axis: (6, atoms, 3)."""
    arms = positions - positions.mean(0)  # (atoms, 3)
    shifts = np.repeat(np.eye(3)[:, None], len(positions), axis=1)  # (3, atoms, 3)
    return np.concatenate([shifts, np.cross(np.eye(3)[:, None], arms)])


def normal_modes(
    hessian: np.ndarray, positions: np.ndarray, masses: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Vibrations in the order of their eigenvalues.

    Args:
        hessian: (3 atoms, 3 atoms), eV/Å².
        positions: (atoms, 3), Å.
        masses: (atoms,), u.

    Returns:
        Eigenvalues (modes,), eV/(Å² u), of which those below 0 belong to imaginary frequencies; and
        displacements (modes, atoms, 3) for an amplitude of 1 Å √u. There are 3 atoms - 6 modes, or
        3 atoms - 5 of a linear molecule.
    """
    roots = np.sqrt(np.repeat(masses, 3))  # (3 atoms,)
    rigid = rigid_motions(positions).reshape(6, -1) * roots  # (6, 3 atoms)
    inner = null_space(rigid, rcond=LINEAR)  # (3 atoms, modes)
    weighted = hessian / roots / roots[:, None]
    eigenvalues, vectors = np.linalg.eigh(inner.T @ weighted @ inner)
    displacements = (inner @ vectors).T / roots  # (modes, 3 atoms)
    return eigenvalues, displacements.reshape(len(eigenvalues), -1, 3)


def wavenumbers(eigenvalues: np.ndarray) -> np.ndarray:
    """Frequencies in 1/cm, imaginary ones as negative numbers: (modes,)."""
    return QUANTUM * np.sign(eigenvalues) * np.sqrt(np.abs(eigenvalues))
