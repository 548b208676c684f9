"""Configurations as ASE's atoms."""

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.stress import full_3x3_to_voigt_6_stress

from mlipkd.datasets.dataset import Dataset, row_offsets, species_masses

#: What ASE calls the labels; it has no name for a Hessian.
PROPERTIES = {
    "energy": "energy",
    "forces": "forces",
    "atomic_energies": "energies",
    "stress": "stress",
}


def atoms_of(dataset: Dataset, m: int) -> Atoms:
    """Configuration ``m`` without labels; beads have their species for atomic numbers."""
    rows = slice(*dataset.offsets[m : m + 2])
    return Atoms(
        dataset.species[rows],
        dataset.positions[rows],
        cell=dataset.cells[m],
        pbc=dataset.periodic[m],
        masses=species_masses(dataset.species[rows], dataset.beads) if dataset.beads else None,
    )


def labelled_atoms(dataset: Dataset, m: int) -> Atoms:
    """Configuration ``m`` with its reference labels as a calculator's results, in eV and Å.

    A label that is missing, even on a single atom, is left out.
    """
    atoms = atoms_of(dataset, m)
    results = {}
    for label, values in dataset.labels["reference"].items():
        rows = values[slice(*row_offsets(label, dataset.offsets)[m : m + 2])]
        if label in PROPERTIES and np.isfinite(rows).all():
            results[PROPERTIES[label]] = _as_ase(label, rows)
    atoms.calc = SinglePointCalculator(atoms, **results)
    return atoms


def _as_ase(label: str, rows: np.ndarray) -> np.ndarray | float:
    """A label as ASE has it, of one configuration's rows in a dataset."""
    match label:
        case "energy":
            return float(rows[0])
        case "stress":
            return full_3x3_to_voigt_6_stress(rows[0])
    return rows
