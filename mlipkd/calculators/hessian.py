"""Hessians of calculators: their own, or central differences of their forces.

A calculator that knows its Hessian has a method ``get_hessian(atoms)``, as those of MACE, AIMNet2
and others do. Its matrix is (3 atoms, 3 atoms), or MACE's (3 atoms, atoms, 3), in eV/Å².
"""

import numpy as np
from ase import Atoms

#: Displacement of the central differences, Å.
DIFFERENCE = 0.002


def hessian(atoms: Atoms) -> np.ndarray:
    """Second derivatives of the energy of atoms that have a calculator: (3 atoms, 3 atoms), eV/Å².

    Raises:
        ValueError: the calculator's own are of another shape.
    """
    if not hasattr(atoms.calc, "get_hessian"):
        return differences(atoms)
    try:
        own = np.asarray(atoms.calc.get_hessian(atoms), float)
    except NotImplementedError:  # its model, or its class, has none
        return differences(atoms)
    size = 3 * len(atoms)
    if own.shape not in [(size, size), (size, len(atoms), 3)]:
        raise ValueError(f"a Hessian of shape {own.shape} instead of {(size, size)}")
    return own.reshape(size, size)


def differences(atoms: Atoms) -> np.ndarray:
    """Central differences of the forces of atoms that have a calculator: (3 atoms, 3 atoms), eV/Å².

    The matrix is symmetrised, which takes out half of the noise of the forces.
    """
    rest = atoms.get_positions()  # (atoms, 3)
    rows = []
    for step in DIFFERENCE * np.eye(rest.size).reshape(-1, *rest.shape):
        ends = []
        for sign in (1, -1):
            atoms.set_positions(rest + sign * step)
            ends.append(atoms.get_forces().ravel())
        rows.append((ends[1] - ends[0]) / (2 * DIFFERENCE))
    atoms.set_positions(rest)
    found = np.array(rows)
    return (found + found.T) / 2
