"""Conformer energies: differences ΔE between all pairs of conformers of one molecule.

The error of a difference is the difference of the errors, e_a - e_b, and sums over all n(n - 1)/2
pairs need no pairs:

    Σ_{a<b} (e_a - e_b)² = n Σ_a (e_a - ē)²
    Σ_{a<b} |e_a - e_b|  = Σ_a (2a - n + 1) e_a    for e_0 ≤ e_1 ≤ … ≤ e_{n-1}
"""

import numpy as np

from mlipkd.datasets.dataset import Dataset
from mlipkd.errors import InputError
from mlipkd.evaluation.error_sum import ErrorSum


def conformer_errors(errors: np.ndarray) -> ErrorSum:
    """Errors of the differences between all pairs, from errors of the energies (conformers,)."""
    n = len(errors)
    if n == 0:
        return ErrorSum()
    centred = np.sort(errors - errors.mean())  # (conformers,)
    return ErrorSum(
        squared=n * float(centred @ centred),
        absolute=float((2 * np.arange(n) - n + 1) @ centred),
        count=n * (n - 1) // 2,
    )


def below_ceiling(energies: np.ndarray, ceiling: float) -> np.ndarray:
    """Which conformers lie less than ``ceiling`` above the lowest: (conformers,) bool."""
    return energies < energies.min() + ceiling


def molecules(dataset: Dataset) -> list[np.ndarray]:
    """The configurations of each group, checked to be conformers of one molecule.

    Raises:
        InputError: the configurations of a group differ in their formula.
    """
    order = np.argsort(dataset.groups, kind="stable")  # (configurations,)
    starts = np.flatnonzero(np.diff(dataset.groups[order])) + 1
    groups = np.split(order, starts)
    for conformers in groups:
        formulas = [_formula(dataset, conformer) for conformer in conformers]
        for conformer, formula in zip(conformers, formulas, strict=True):
            if not np.array_equal(formula, formulas[0]):
                raise InputError(
                    f"{dataset.place(conformer)}: expected conformers of one "
                    f"molecule, got the atomic numbers {formula.tolist()} beside "
                    f"{formulas[0].tolist()}; give each molecule a group of its own"
                )
    return groups


def _formula(dataset: Dataset, configuration: int) -> np.ndarray:
    atoms = slice(dataset.offsets[configuration], dataset.offsets[configuration + 1])
    return np.sort(dataset.species[atoms])  # (atoms,)
