"""COMP6: energies, conformer energies and forces of molecules larger than those of training.

J. S. Smith et al., J. Chem. Phys. 148, 241733 (2018), doi 10.1063/1.5023802. Conformers 100
kcal/mol or more above their molecule's lowest are left out of the conformer energies ΔE; energies
and forces are those of all conformers.

Conformer energies are the differences between all pairs of conformers of one molecule. The error of
a difference is the difference of the errors, e_a - e_b, and sums over all n(n - 1)/2 pairs need no
pairs:

    Σ_{a<b} (e_a - e_b)² = n Σ_a (e_a - ē)²
    Σ_{a<b} |e_a - e_b|  = Σ_a (2a - n + 1) e_a    for e_0 ≤ e_1 ≤ … ≤ e_{n-1}
"""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

import numpy as np
from pydantic import BeforeValidator, Field, PositiveFloat, model_validator

from mlipkd.config.section import Name, Section
from mlipkd.errors import InputError
from mlipkd.evaluation.core.evaluation import MODELS, Evaluation, Figure, Input, Job, Jobs
from mlipkd.evaluation.core.rows import ALL, Row, Source, rmse_and_mae, write_rows
from mlipkd.paths import ModelPaths
from mlipkd.readers.ani import Comp6
from mlipkd.readers.ase_file import AseFile
from mlipkd.units import KCAL_MOL

if TYPE_CHECKING:
    import matplotlib.figure

    from mlipkd.datasets.dataset import Dataset
    from mlipkd.evaluation.core.axes import Colours
    from mlipkd.evaluation.core.ensembles import Ensemble
    from mlipkd.evaluation.core.error_sums import ErrorSum


def _by_path(suite: object) -> object:
    """A path, or a list of them, stands for files in the layout of COMP6 v1."""
    paths = [suite] if isinstance(suite, str) else suite
    if not isinstance(paths, list):
        return suite
    for path in paths:
        if isinstance(path, str) and not path.endswith((".h5", ".hdf5")):
            raise ValueError(
                f"expected HDF5 files (.h5, .hdf5) of COMP6, got {path!r}; for another format give "
                "a section with reader: ase, files, keys and units"
            )
    return {"reader": "comp6", "files": paths}


Suite = Annotated[Comp6 | AseFile, Field(discriminator="reader"), BeforeValidator(_by_path)]


class Comp6Evaluation(Section):
    """Energies and conformer energies of molecules larger than those of training."""

    suites: Annotated[dict[Name, Suite], Field(min_length=1)]
    """The parts of the suite: a path or a list of paths in the layout of COMP6 v1, or a source
    with `reader: ase` whose `group_key` names the molecule."""
    ceiling: PositiveFloat = 100.0
    """Conformers this far above their molecule's lowest are left out, kcal/mol."""

    @property
    def files(self) -> list[str]:
        """The files of all suites."""
        return [file for suite in self.suites.values() for file in suite.files]

    @model_validator(mode="after")
    def _labels_of_files(self) -> Self:
        if computed := [name for name, suite in self.suites.items() if suite.computes_labels]:
            raise ValueError(
                f"expected suites with labels in their files, got a calculator of "
                f"{', '.join(computed)}, which every model's evaluation would ask anew; write its "
                "labels into the files"
            )
        return self


METRICS = rmse_and_mae(energy="kcal/mol", conformer_energy="kcal/mol", forces="kcal/mol/Å")


def run(job: Job) -> None:
    """Errors of energies, conformer energies and forces on COMP6, of members and of their mean.

    Example: mlipkd evaluate comp6 --settings comp6.yaml --output comp6.csv
    teachers/seed*/model.safetensors
    """
    from mlipkd.evaluation.core.ensembles import load_ensembles, notes_of
    from mlipkd.jobs import artefacts
    from mlipkd.jobs.device import choose_device

    subsets = {name: read_subset(name, suite) for name, suite in job.section.suites.items()}
    ensembles, sources = load_ensembles(job.files["models"], choose_device(job.device, job.threads))
    rows = evaluate_comp6(subsets, job.section.ceiling, ensembles)
    sources += [Source(file, artefacts.sha256(Path(file)), []) for file in job.section.files]
    write_rows(job.output, rows, sources, notes_of(ensembles))


def read_subset(name: str, source: Comp6 | AseFile) -> "Dataset":
    """A part of the suite, from files in the layout of COMP6 v1, or that ASE reads.

    Raises:
        InputError: a file cannot be read, or its content is faulty.
    """
    from mlipkd.checks.check import check

    dataset = source.read(name)
    if faults := check(dataset).faults:
        raise InputError("\n".join(faults))
    return dataset


def evaluate_comp6(
    subsets: "dict[str, Dataset]", ceiling: float, ensembles: "Sequence[Ensemble]"
) -> list[Row]:
    """RMSE and MAE for every subset and for all together, of members and of ensemble means.

    Conformers on which a calculator failed are left out.

    Args:
        subsets: datasets by name; the groups of a dataset are its molecules.
        ceiling: how far above the lowest conformer ΔE is compared, kcal/mol.
        ensembles: whose predictions to compare.

    Raises:
        InputError: the conformers of a molecule differ in their formula, a molecule holds an
            element that a member does not know, or a subset is called "all".
    """
    from mlipkd.evaluation.core.error_sums import ErrorSum, error_rows

    if ALL in subsets:
        raise InputError(
            f"comp6.suites: expected names other than {ALL!r}, which stands for all subsets "
            "together; rename it"
        )
    sums: dict[tuple[int, int | str], dict[tuple[str, str], ErrorSum]] = defaultdict(
        lambda: defaultdict(ErrorSum)
    )
    for subset, dataset in subsets.items():
        compared = _compared(dataset, ceiling)
        quantities = [q for q in ("energy", "forces") if q in dataset.labels["reference"]]
        for number, ensemble in enumerate(ensembles):
            _refuse_unknown_elements(dataset, ensemble)
            for seed, predicted in ensemble.predictions(dataset, quantities):
                for quantity, errors in _errors(dataset, predicted, compared).items():
                    sums[number, seed][subset, quantity] += errors
                    sums[number, seed][ALL, quantity] += errors
    return [
        row
        for (number, seed), by_subset in sums.items()
        for (subset, quantity), errors in sorted(
            by_subset.items(), key=lambda item: item[0][0] == ALL
        )
        for row in error_rows(
            ensembles[number], seed, quantity, errors, METRICS, subset, scale=KCAL_MOL
        )
    ]


def _refuse_unknown_elements(dataset: "Dataset", ensemble: "Ensemble") -> None:
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


def _compared(dataset: "Dataset", ceiling: float) -> list[np.ndarray]:
    """The conformers of each molecule that are compared with each other."""
    energies = dataset.labels["reference"]["energy"]  # (configurations,)
    return [
        molecule[below_ceiling(energies[molecule], ceiling * KCAL_MOL)]
        for molecule in molecules(dataset)
    ]


def _errors(
    dataset: "Dataset", predicted: dict[str, np.ndarray], compared: list[np.ndarray]
) -> "dict[str, ErrorSum]":
    """Errors of energy, conformer energy and, if there are any, forces; eV, Å."""
    from mlipkd.evaluation.core.error_sums import ErrorSum

    sums: dict[str, ErrorSum] = defaultdict(ErrorSum)
    reference = dataset.labels["reference"]
    energy_errors = predicted["energy"] - reference["energy"]  # (configurations,)
    known = ~np.isnan(energy_errors)  # (configurations,)
    sums["energy"].add(energy_errors[known])
    for conformers in compared:
        sums["conformer_energy"] += conformer_errors(energy_errors[conformers[known[conformers]]])
    if "forces" in predicted:
        force_errors = predicted["forces"] - reference["forces"]  # (atoms, 3)
        sums["forces"].add(force_errors[~np.isnan(force_errors)])
    return sums


def conformer_errors(errors: np.ndarray) -> "ErrorSum":
    """Errors of the differences between all pairs, from errors of the energies (conformers,)."""
    from mlipkd.evaluation.core.error_sums import ErrorSum

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


def molecules(dataset: "Dataset") -> list[np.ndarray]:
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


def _formula(dataset: "Dataset", configuration: int) -> np.ndarray:
    atoms = slice(dataset.offsets[configuration], dataset.offsets[configuration + 1])
    return np.sort(dataset.species[atoms])  # (atoms,)


def draw(rows: Sequence[Row], colours: "Colours") -> "matplotlib.figure.Figure":
    """A column for each subset, a line for each of E, ΔE and F."""
    from mlipkd.evaluation.core.axes import has, name_of
    from mlipkd.evaluation.core.bars import Panel, side_by_side

    names = dict.fromkeys(row.subset for row in rows)  # in the table's order
    subsets = {name: [row for row in rows if row.subset == name] for name in names}
    metrics = [m for m in ("energy_rmse", "conformer_energy_rmse", "forces_rmse") if has(rows, m)]
    panels = [
        [
            Panel(part, metric, subset, name_of(part, metric)) if has(part, metric) else None
            for subset, part in subsets.items()
        ]
        for metric in metrics
    ]
    return side_by_side(rows, colours, panels)


COMP6 = Evaluation(
    name="comp6",
    title="Larger molecules",
    run=run,
    jobs=[Jobs(ModelPaths(), lambda plan: plan.models)],
    inputs=[
        Input("suites", lambda plan, about: plan.section(about).evaluations.comp6.files),
        MODELS,
    ],
    section=Comp6Evaluation,
    threads=4,
    device=True,
    work="comp6",
    figures=[
        Figure(
            "comp6",
            title="Errors on COMP6",
            caption="Errors on the parts of COMP6, molecules larger than those of training: "
            "energies E, energy differences of conformers ΔE, and forces F. A dot is a member, a "
            "bar the mean over members, and a diamond the ensemble.",
            draw=draw,
        )
    ],
)
