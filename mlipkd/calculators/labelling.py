"""Labelling: a calculator labels all configurations of a dataset, one after the other.

Its labels become the references of a dataset, or what a member of a family says of it. A
configuration that the calculator cannot compute gets NaN for every label, and the reason is noted.

Hessians are the calculator's own, or central differences of its forces. A calculator that knows its
Hessian has a method ``get_hessian(atoms)``, as those of MACE, AIMNet2 and others do; its matrix is
(3 atoms, 3 atoms), or MACE's (3 atoms, atoms, 3), in eV/Å².
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator, all_changes
from ase.stress import voigt_6_to_full_3x3_stress

from mlipkd.calculators.load import accommodated, load_calculator, versions
from mlipkd.checks.hessians import refuse_periodic_hessians
from mlipkd.config.functions import CALCULATOR, SEED, Calculator
from mlipkd.config.settings import CalculatorSettings
from mlipkd.datasets.atoms import PROPERTIES, atoms_of
from mlipkd.datasets.dataset import Dataset, columns_of, label_shape, row_offsets
from mlipkd.datasets.file import DatasetFile
from mlipkd.datasets.normal_modes import hessian_blocks
from mlipkd.errors import InputError
from mlipkd.imports import on_one_line
from mlipkd.jobs import artefacts, provenance
from mlipkd.jobs.progress import progress


def quantities_of(calculator: BaseCalculator) -> list[str]:
    """The labels that a calculator gives: stress of what is periodic, a Hessian of what is free."""
    implemented = calculator.implemented_properties
    given = [label for label, name in PROPERTIES.items() if name in implemented]
    return [*given, "hessian"] if "forces" in given else given


def labels_of(
    calculator: BaseCalculator, dataset: Dataset, quantities: Sequence[str]
) -> tuple[dict[str, np.ndarray], dict[int, str]]:
    """Labels of all configurations, and why there are none for some of them.

    The calculator is given nothing but elements, positions, cell and boundaries.

    Args:
        calculator: what computes the labels.
        dataset: the configurations.
        quantities: some of those that the calculator gives.

    Returns:
        For each quantity an array in the dataset's layout, float64, eV and Å, NaN where the
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
                labels = _labels(calculator, atoms_of(dataset, m), quantities)
            except Exception as error:  # calculators raise anything
                failed[m] = on_one_line(error)
                continue
            for quantity, label in labels.items():
                target = values[quantity][slice(*rows[quantity][m : m + 2])]
                target[:] = label.reshape(target.shape)
    return values, failed


def _labels(
    calculator: BaseCalculator, atoms: Atoms, quantities: Sequence[str]
) -> dict[str, np.ndarray]:
    """One configuration's labels; all are there and finite, or an error is raised."""
    names = {quantity: PROPERTIES[quantity] for quantity in quantities if quantity != "hessian"}
    # All changed, for calculators that start from their last result: labels then don't depend on
    # the order of the configurations, and nothing stays from one that failed.
    calculator.results = {}
    calculator.calculate(atoms, list(names.values()) or ["energy"], all_changes)
    labels = {}
    for quantity, name in names.items():
        if calculator.results.get(name) is None:
            raise ValueError(f"no {name} in its results")
        # A copy: a calculator may write the next geometry's into the same array.
        label = np.array(calculator.results[name], float)
        if name == "stress" and label.shape == (6,):
            label = voigt_6_to_full_3x3_stress(label)
        if label.shape != (shape := label_shape(quantity, len(atoms))):
            raise ValueError(f"{name} of shape {label.shape} instead of {shape}")
        labels[quantity] = label
    if "hessian" in quantities:
        atoms.calc = calculator
        labels["hessian"] = hessian_blocks(hessian(atoms))
    for quantity, label in labels.items():
        if not np.isfinite(label).all():
            raise ValueError(f"{names.get(quantity, quantity)} not finite")
    return labels


def refuse_without_hessians(
    where: str, quantities: Collection[str], dataset: Dataset | DatasetFile
) -> None:
    """Refuse to label a dataset with Hessians where there are none.

    Args:
        where: the calculator or model, for messages.
        quantities: those that it gives.
        dataset: to be labelled.

    Raises:
        InputError: there are no forces, or there is a cell.
    """
    if "forces" not in quantities:
        raise InputError(
            f"{where}: expected a calculator with forces for Hessians, got one that gives "
            f"{', '.join(quantities)}; choose another"
        )
    refuse_periodic_hessians(dataset)


def refuse_if_most_failed(where: str, reasons: Collection[str], total: int) -> None:
    """Refuse a calculator that failed on more than half of so many configurations.

    Raises:
        InputError: with the first reason.
    """
    if 2 * len(reasons) > total:
        raise InputError(
            f"{where}: expected labels of most of {total} configurations, but the calculator "
            f"failed on {len(reasons)} of them, on the first for this reason: "
            f"{next(iter(reasons))}; see whether calculator.options and the elements are what it "
            "is made for"
        )


def summarised(reasons: Collection[str]) -> str:
    """How often each reason of a failure occurs, the most frequent first."""
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
        matrix = np.asarray(atoms.calc.get_hessian(atoms), float)
    except NotImplementedError:  # its model, or its class, has none
        return differences(atoms)
    size = 3 * len(atoms)
    if matrix.shape not in [(size, size), (size, len(atoms), 3)]:
        raise ValueError(f"a Hessian of shape {matrix.shape} instead of {(size, size)}")
    return matrix.reshape(size, size)


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
    matrix = np.array(rows)
    return (matrix + matrix.T) / 2


def with_reference_labels(dataset: Dataset, settings: Calculator, hessians: bool) -> Dataset:
    """The dataset with a calculator's energies and, if it gives them, forces as reference labels.

    Where the calculator fails, labels are missing, and a note says how often and why.

    Args:
        dataset: the configurations.
        settings: class and options of the calculator.
        hessians: label with Hessians, too.

    Raises:
        InputError: the calculator cannot be made, or fails on more than half of the configurations;
            or Hessians are requested of configurations with a cell, or of a calculator without
            forces.
    """
    calculator = load_calculator(dataset.name, settings)
    given = quantities_of(calculator)
    quantities = [quantity for quantity in given if quantity in ("energy", "forces")]
    if hessians:
        refuse_without_hessians(f"{dataset.name}: {settings.type}", given, dataset)
        quantities.append("hessian")
    labels, failed = labels_of(calculator, dataset, quantities)
    refuse_if_most_failed(dataset.name, failed.values(), len(dataset))
    facts: dict[str, object] = {"packages": versions(calculator)}
    if failed:
        note = (
            f"no labels for {len(failed)} of {len(dataset)} configurations, where the calculator "
            f"failed: {summarised(failed.values())}"
        )
        facts |= {"masked": quantities, "notes": [*dataset.provenance["notes"], note]}
    return replace(
        dataset, labels={"reference": labels}, provenance={**dataset.provenance, **facts}
    )


def is_calculator(path: Path) -> bool:
    """Whether a member's file is the settings of a calculator, and not a model file."""
    return Path(path).suffix in (".yaml", ".yml")


class CalculatorMember:
    """The only member of a calculator's family: a calculator in place of a model file."""

    def __init__(self, path: Path) -> None:
        """Read a settings file and make its calculator.

        Raises:
            InputError: faulty settings, or a calculator that cannot be made.
        """
        settings = CalculatorSettings.read(path)
        self.calculator = load_calculator(str(path), settings.calculator)
        self.quantities = quantities_of(self.calculator)
        self.sha256 = artefacts.sha256(path)
        self.metadata = provenance.record(
            dataset=settings.dataset,
            dataset_sha256=None,  # it was not trained on any
            family=settings.family,
            model=CALCULATOR,
            seed=SEED,
            calculator=settings.calculator.model_dump(mode="json"),
            packages=versions(self.calculator),
        )

    def predict(
        self, dataset: Dataset, quantities: Sequence[str]
    ) -> tuple[dict[str, np.ndarray], dict[int, str]]:
        """Labels of all configurations, and the reasons of failures: see ``labels_of``."""
        return labels_of(self.calculator, dataset, quantities)
