"""Labelling: a calculator asked for all configurations of a dataset, one after the other.

A configuration that the calculator cannot compute gets NaN for every label, and its reason is kept.

Hessians of calculators: their own, or central differences of their forces.

A calculator that knows its Hessian has a method ``get_hessian(atoms)``, as those of MACE, AIMNet2
and others do. Its matrix is (3 atoms, 3 atoms), or MACE's (3 atoms, atoms, 3), in eV/Å².
"""

from collections import Counter
from collections.abc import Collection, Sequence

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator, all_changes
from ase.stress import voigt_6_to_full_3x3_stress

from mlipkd.calculators.load import accommodated
from mlipkd.datasets.atoms import PROPERTIES, atoms_of
from mlipkd.datasets.dataset import LABELS, Dataset, columns_of, row_offsets
from mlipkd.datasets.normal_modes import blocks
from mlipkd.errors import InputError
from mlipkd.imports import in_words
from mlipkd.jobs.progress import progress


def quantities_of(calculator: BaseCalculator) -> list[str]:
    """The labels that a calculator gives: stress of what is periodic, a Hessian of what is free."""
    given = calculator.implemented_properties
    found = [label for label, name in PROPERTIES.items() if name in given]
    return [*found, "hessian"] if "forces" in found else found


def labels_of(
    calculator: BaseCalculator, dataset: Dataset, quantities: Sequence[str]
) -> tuple[dict[str, np.ndarray], dict[int, str]]:
    """Labels of all configurations, and why there are none for some of them.

    Of a configuration the calculator is told elements, positions, cell and boundaries alone.

    Args:
        calculator: whom to ask.
        dataset: its configurations.
        quantities: some of what the calculator gives.

    Returns:
        For each quantity an array of the dataset's layout, float64, eV and Å, NaN where the
        calculator failed; and the reasons of failures by the number of the configuration.
    """
    rows = {quantity: row_offsets(quantity, dataset.offsets) for quantity in quantities}
    values = {
        quantity: np.full((ends[-1], *columns_of(quantity)), np.nan)
        for quantity, ends in rows.items()
    }
    failed = {}
    with accommodated(calculator):
        for m in progress(range(len(dataset)), len(dataset), "configurations"):
            try:
                found = _labels(calculator, atoms_of(dataset, m), quantities)
            except Exception as error:  # calculators raise anything
                failed[m] = in_words(error)
                continue
            for quantity, label in found.items():
                own = values[quantity][slice(*rows[quantity][m : m + 2])]
                own[:] = label.reshape(own.shape)
    return values, failed


def _labels(
    calculator: BaseCalculator, atoms: Atoms, quantities: Sequence[str]
) -> dict[str, np.ndarray]:
    """One configuration's labels; all are there and finite, or an error is raised."""
    names = {quantity: PROPERTIES[quantity] for quantity in quantities if quantity != "hessian"}
    # All changed, for calculators that start from what they found last: labels then don't depend
    # on the order of the configurations, and nothing stays from one that failed.
    calculator.results = {}
    calculator.calculate(atoms, list(names.values()) or ["energy"], all_changes)
    found = {}
    for quantity, name in names.items():
        if calculator.results.get(name) is None:
            raise ValueError(f"no {name} in its results")
        # A copy: a calculator may go on to write the next geometry's into the same array.
        label = np.array(calculator.results[name], float)
        if name == "stress" and label.shape == (6,):
            label = voigt_6_to_full_3x3_stress(label)
        wanted = tuple(len(atoms) if axis == "atoms" else axis for axis in LABELS[quantity][0])
        if label.shape != wanted:
            raise ValueError(f"{name} of shape {label.shape} instead of {wanted}")
        found[quantity] = label
    if "hessian" in quantities:
        atoms.calc = calculator
        found["hessian"] = blocks(hessian(atoms))
    for quantity, label in found.items():
        if not np.isfinite(label).all():
            raise ValueError(f"{names.get(quantity, quantity)} not finite")
    return found


def refuse_most(where: str, reasons: Collection[str], asked: int) -> None:
    """Refuse a calculator that failed on more than half of what it was asked.

    Raises:
        InputError: with the first reason.
    """
    if 2 * len(reasons) > asked:
        raise InputError(
            f"{where}: expected labels of most of {asked} configurations, but the calculator "
            f"failed on {len(reasons)} of them, on the first for this reason: "
            f"{next(iter(reasons))}; see whether calculator.options and the elements are what it "
            "is made for"
        )


def counted(reasons: Collection[str]) -> str:
    """Reasons in words, the most frequent first."""
    return "; ".join(f"{n} × {reason}" for reason, n in Counter(reasons).most_common())


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
