"""A molecule whose energies and forces are known: atoms on springs."""

from itertools import combinations

import numpy as np

SPECIES = np.array([8, 1, 1])
REST = np.array([[0.0, 0.0, 0.0], [0.96, 0.0, 0.0], [-0.24, 0.93, 0.0]])  # Å
STIFFNESS = 30.0  # eV/Å²
TOTAL_ENERGY = -76.4 * 27.2114  # eV, water with all its electrons


def spring_labels(positions, rest=REST, stiffness=STIFFNESS, energy=TOTAL_ENERGY):
    """Energy and forces of springs between all atoms: E = Σ ½ k (d - d₀)², F = -dE/dR."""
    forces = np.zeros_like(rest)
    for i, j in combinations(range(len(rest)), 2):
        vector = positions[j] - positions[i]
        distance = np.linalg.norm(vector)
        stretch = distance - np.linalg.norm(rest[j] - rest[i])
        energy += 0.5 * stiffness * stretch**2
        pull = stiffness * stretch * vector / distance
        forces[i] += pull
        forces[j] -= pull
    return energy, forces


def spring_hessian(positions):
    """Of the springs, by central differences of the forces: (9, 9), eV/Å²."""
    step, rows = 1e-4, []
    for move in step * np.eye(9).reshape(9, 3, 3):
        forward, back = (spring_labels(positions + sign * move)[1] for sign in (1, -1))
        rows.append((back - forward).ravel() / (2 * step))
    return np.array(rows)
