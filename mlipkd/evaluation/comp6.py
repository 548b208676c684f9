"""Conformer energies: differences ΔE between all pairs of conformers of one molecule.

The error of a difference is the difference of the errors, e_a - e_b, and sums over all n(n - 1)/2
pairs need no pairs:

    Σ_{a<b} (e_a - e_b)² = n Σ_a (e_a - ē)²
    Σ_{a<b} |e_a - e_b|  = Σ_a (2a - n + 1) e_a    for e_0 ≤ e_1 ≤ … ≤ e_{n-1}

COMP6: energies, conformer energies and forces of molecules larger than those of training.

J. S. Smith et al., J. Chem. Phys. 148, 241733 (2018), doi 10.1063/1.5023802. Conformers 100
kcal/mol or more above their molecule's lowest are left out of the conformer energies ΔE; energies
and forces are those of all conformers.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from mlipkd.checks.check import check
from mlipkd.datasets.dataset import Dataset
from mlipkd.errors import InputError
from mlipkd.evaluation.core.ensembles import Ensemble
from mlipkd.evaluation.core.error_sums import ErrorSum
from mlipkd.evaluation.core.rows import Row
from mlipkd.readers.ani import Comp6
from mlipkd.readers.ase_file import AseFile
from mlipkd.units import KCAL_MOL


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


#: The name of all subsets together.
ALL = "all"


def read_subset(name: str, source: Comp6 | AseFile) -> Dataset:
    """A part of the suite, from files in the layout of COMP6 v1, or that ASE reads.

    Raises:
        InputError: a file cannot be read, or its content is faulty.
    """
    dataset = source.read(name)
    if faults := check(dataset).faults:
        raise InputError("\n".join(faults))
    return dataset


def evaluate_comp6(
    subsets: dict[str, Dataset], ceiling: float, ensembles: Sequence[Ensemble]
) -> list[Row]:
    """RMSE and MAE for every subset and for all together, of members and of ensemble means.

    Conformers on which a calculator failed are left out.

    Args:
        subsets: datasets by name; the groups of a dataset are its molecules.
        ceiling: how far above the lowest conformer ΔE is asked for, kcal/mol.
        ensembles: whom to ask.

    Raises:
        InputError: the conformers of a molecule differ in their formula, a molecule holds an
            element that a member does not know, or a subset is called "all".
    """
    if ALL in subsets:
        raise InputError(
            f"comp6.suites: expected names other than {ALL!r}, which stands for all subsets "
            "together; rename it"
        )
    sums: dict[tuple[int, int | str], dict[str, ErrorSum]] = defaultdict(
        lambda: defaultdict(ErrorSum)
    )
    for subset, dataset in subsets.items():
        compared = _compared(dataset, ceiling)
        quantities = [q for q in ("energy", "forces") if q in dataset.labels["reference"]]
        for number, ensemble in enumerate(ensembles):
            _refuse_unknown_elements(dataset, ensemble)
            for seed, predicted in ensemble.predictions(dataset, quantities):
                for subject, errors in _errors(dataset, predicted, compared).items():
                    sums[number, seed][f"{subset}/{subject}"] += errors
                    sums[number, seed][f"{ALL}/{subject}"] += errors
    return [
        row
        for (number, seed), by_subject in sums.items()
        for subject, errors in sorted(
            by_subject.items(), key=lambda item: item[0].startswith(f"{ALL}/")
        )
        for row in ensembles[number].rows("comp6", seed, subject, errors, scale=KCAL_MOL)
    ]


def _refuse_unknown_elements(dataset: Dataset, ensemble: Ensemble) -> None:
    if ensemble.species is None:
        return
    unknown = np.flatnonzero(~np.isin(dataset.species, ensemble.species))  # (unknown atoms,)
    if len(unknown):
        place = dataset.place(int(np.searchsorted(dataset.offsets, unknown[0], "right")) - 1)
        raise InputError(
            f"{place}: expected the elements {ensemble.species} (atomic numbers) that "
            f"{ensemble.family}/{ensemble.model} was trained on, got "
            f"{dataset.species[unknown[0]]}; leave {dataset.name} out of comp6.suites"
        )


def _compared(dataset: Dataset, ceiling: float) -> list[np.ndarray]:
    """The conformers of each molecule that are compared with each other."""
    energies = dataset.labels["reference"]["energy"]  # (configurations,)
    return [
        molecule[below_ceiling(energies[molecule], ceiling * KCAL_MOL)]
        for molecule in molecules(dataset)
    ]


def _errors(
    dataset: Dataset, predicted: dict[str, np.ndarray], compared: list[np.ndarray]
) -> dict[str, ErrorSum]:
    """Errors of energy, conformer energy and, if there are any, forces; eV, Å."""
    found: dict[str, ErrorSum] = defaultdict(ErrorSum)
    reference = dataset.labels["reference"]
    energy_errors = predicted["energy"] - reference["energy"]  # (configurations,)
    answered = ~np.isnan(energy_errors)  # (configurations,)
    found["energy"].add(energy_errors[answered])
    for conformers in compared:
        found["conformer_energy"] += conformer_errors(
            energy_errors[conformers[answered[conformers]]]
        )
    if "forces" in predicted:
        force_errors = predicted["forces"] - reference["forces"]  # (atoms, 3)
        found["forces"].add(force_errors[~np.isnan(force_errors)])
    return found
