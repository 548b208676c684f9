"""Parity: what members predict next to what they should, on the test split.

By R² = 1 − Σ(p − r)² / Σ(r − r̄)² of predictions p and references r (energies per atom, components
of forces, and the atomic energies of a model's teachers, where it has any), and as points.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from mlipkd import paths
from mlipkd.config.section import Section
from mlipkd.evaluation.core.evaluation import (
    MODELS,
    Evaluation,
    Figure,
    Input,
    Job,
    Jobs,
    Output,
    Plan,
)
from mlipkd.evaluation.core.rows import ENSEMBLE, Row, write_rows
from mlipkd.jobs.progress import progress
from mlipkd.paths import DatasetPaths, ModelPaths

if TYPE_CHECKING:
    import matplotlib.figure

    from mlipkd.datasets.dataset import Dataset
    from mlipkd.datasets.file import DatasetFile
    from mlipkd.evaluation.core.axes import Colours
    from mlipkd.evaluation.core.ensembles import Ensemble

#: Units by quantity, and what axes call it.
UNITS = {"energy_per_atom": "eV/atom", "forces": "eV/Å", "atomic_energies": "eV"}
SYMBOLS = {"energy_per_atom": "E per atom", "forces": "F", "atomic_energies": "ε"}
#: About how many points of each quantity are kept to be drawn.
POINTS = 2000


class ParityEvaluation(Section):
    """Predictions next to references on the test split: R², and a figure of points."""


def run(job: Job) -> None:
    """R² of energies, forces and the teachers' atomic energies on the test split, with points.

    Example: mlipkd evaluate parity --settings parity.yaml --dataset dataset.h5
    --points points.csv --output parity.csv teachers/seed*/model.safetensors
    """
    from mlipkd.datasets.file import DatasetFile
    from mlipkd.evaluation.core.ensembles import dataset_source, load_ensembles, notes_of
    from mlipkd.jobs.device import choose_device

    ensembles, sources = load_ensembles(job.files["models"], choose_device(job.device, job.threads))
    with DatasetFile(job.file("dataset")) as dataset:
        rows, points = evaluate_parity(dataset, ensembles)
        sources.append(dataset_source(dataset))
    write_rows(job.file("points"), points, sources)
    write_rows(job.output, rows, sources, notes_of(ensembles))


@dataclass
class _Pairs:
    """Sums over references and predictions, and some of them as points."""

    shift: float
    """About what references are, so that their variance does not drown in rounding."""
    count: int = 0
    total: float = 0.0
    squares: float = 0.0
    errors: float = 0.0
    points: list[tuple[float, float]] = field(default_factory=list)

    def add(self, references: np.ndarray, predictions: np.ndarray) -> None:
        """Add pairs: (pairs,) each."""
        shifted = references - self.shift
        self.count += len(shifted)
        self.total += float(shifted.sum())
        self.squares += float((shifted**2).sum())
        self.errors += float(((predictions - references) ** 2).sum())

    @property
    def r2(self) -> float | None:
        """R²; none of references that are all the same."""
        variance = self.squares - self.total**2 / max(1, self.count)
        return 1 - self.errors / variance if variance > 0 else None


def evaluate_parity(
    dataset: "DatasetFile", ensembles: "Sequence[Ensemble]"
) -> tuple[list[Row], list[Row]]:
    """R² of members and of their mean; and points of the mean, or of the only member.

    Labels that are missing are left out, and so are configurations on which a calculator failed.

    Args:
        dataset: with reference labels and, to compare atomic energies, a teacher's.
        ensembles: whose predictions to compare.

    Returns:
        Rows ``<quantity>_r2``; and rows ``<quantity>`` whose value is a prediction, at its
        reference, of about ``POINTS`` pairs that are drawn at random, the same for all models.

    Raises:
        InputError: the test split is empty, or a member belongs to another dataset.
    """
    from mlipkd.datasets.dataset import memory_batches
    from mlipkd.evaluation.core.error_sums import whole_test_split

    test = whole_test_split(dataset, ensembles)
    quantities: list[str] = [q for q in ("energy", "forces") if q in dataset.labels["reference"]]
    if "atomic_energies" in dataset.labels.get("teacher", []):
        quantities.append("atomic_energies")
    atoms = int(dataset.sizes[test].sum())
    of_all = {"energy_per_atom": len(test), "forces": 3 * atoms, "atomic_energies": atoms}
    sums: dict[tuple[int, int | str, str], _Pairs] = {}
    drawn: dict[str, np.random.Generator] = defaultdict(lambda: np.random.default_rng(0))
    cuts = memory_batches(dataset.sizes[test])
    for batch in progress(cuts, len(cuts), "batches of configurations"):
        configurations = dataset.read(test[batch])
        kept = {
            quantity: drawn[quantity].random(len(references)) < POINTS / of_all[quantity]
            for quantity, references in _references(configurations, quantities)
        }
        for number, ensemble in enumerate(ensembles):
            shown = ENSEMBLE if len(ensemble.members) > 1 else next(iter(ensemble.members), 0)
            for seed, predicted in ensemble.predictions(configurations, quantities):
                for quantity, references in _references(configurations, list(predicted)):
                    predictions = _predictions(configurations, quantity, predicted)
                    known = ~np.isnan(references + predictions)  # (pairs,)
                    if not known.any():
                        continue
                    pairs = sums.setdefault(
                        (number, seed, quantity), _Pairs(float(references[known][0]))
                    )
                    pairs.add(references[known], predictions[known])
                    if seed == shown:
                        some = known & kept[quantity]
                        pairs.points += zip(
                            references[some].tolist(), predictions[some].tolist(), strict=True
                        )
    rows = [
        ensembles[number].row(seed, f"{quantity}_r2", pairs.r2, "1")
        for (number, seed, quantity), pairs in sums.items()
        if pairs.r2 is not None
    ]
    points = [
        ensembles[number]
        .row(seed, quantity, prediction, UNITS[quantity])
        ._replace(condition="reference", at=reference, at_unit=UNITS[quantity])
        for (number, seed, quantity), pairs in sums.items()
        for reference, prediction in pairs.points
    ]
    return rows, points


def _references(dataset: "Dataset", quantities: Sequence[str]) -> Iterator[tuple[str, np.ndarray]]:
    """What is compared with: (pairs,) of each quantity."""
    for quantity in quantities:
        if quantity == "energy":
            yield "energy_per_atom", dataset.labels["reference"]["energy"] / dataset.sizes
        else:
            whose = "teacher" if quantity == "atomic_energies" else "reference"
            yield quantity, dataset.labels[whose][quantity].ravel()


def _predictions(dataset: "Dataset", quantity: str, predicted: dict[str, np.ndarray]) -> np.ndarray:
    """The same of a member."""
    if quantity == "energy_per_atom":
        return predicted["energy"] / dataset.sizes
    return predicted[quantity].ravel()


def draw(rows: Sequence[Row], colours: "Colours") -> "matplotlib.figure.Figure":
    """A line for each model with points, a column for each quantity."""
    from matplotlib.colors import LinearSegmentedColormap

    from mlipkd.evaluation.core.axes import panels_of

    points: dict[tuple[str, str], dict[str, list[tuple[float, float]]]] = {}
    r2: dict[tuple[str, str, int | str, str], float] = {}
    for row in rows:
        if row.at is None:
            r2[row.family, row.model, row.seed, row.metric] = row.value
        else:
            of_model = points.setdefault((row.family, row.model), defaultdict(list))
            of_model[row.metric].append((row.at, row.value))
    quantities = [q for q in UNITS if any(q in of_model for of_model in points.values())]
    figure, panels = panels_of(len(points), len(quantities))
    seeds = {(row.family, row.model): row.seed for row in rows if row.at is not None}
    for line, ((family, model), of_model) in zip(panels, points.items(), strict=True):
        shades = LinearSegmentedColormap.from_list(family, ["#e4e4e4", colours[family]])
        for axes, quantity in zip(line, quantities, strict=True):
            if quantity not in of_model:
                axes.set_axis_off()
                continue
            references, predictions = np.array(of_model[quantity]).T
            axes.hexbin(references, predictions, gridsize=40, mincnt=1, bins="log", cmap=shades)
            axes.axline((references[0], references[0]), slope=1, color="0.4", linewidth=0.6)
            share = r2.get((family, model, seeds[family, model], f"{quantity}_r2"))
            below = f"\nR² = {share:.4f}" if share is not None else ""
            axes.set_title(f"{family} {model}{below}", fontsize="small")
            name = f"{SYMBOLS[quantity]}, {UNITS[quantity]}"
            whose = "teachers'" if quantity == "atomic_energies" else "reference"
            axes.set_xlabel(f"{whose} {name}")
            axes.set_ylabel(f"predicted {name}")
    return figure


def _drawn(plan: Plan, dataset: DatasetPaths) -> list[str]:
    """The table, and points of a student, of its control and of its teachers; of another model, if
    nobody learns."""
    models = [model for model in plan.trained if model.dataset == dataset.dataset]
    students = [model for model in models if plan.family(model).learns_from]
    compared = plan.compared(dataset.dataset)
    students.sort(key=lambda model: model.model not in compared)  # those with a control first
    if not students:
        return [paths.table("parity"), *(_points(model) for model in models[:1])]
    student = students[0]
    section = plan.section(student)
    teacher = section.teacher_of(student.family, student.model)
    controls = [
        model
        for model in models
        if model.model == student.model
        and not plan.family(model).learns_from
        and (model.family, model.model) != teacher
    ]
    shown = [ModelPaths(dataset.dataset, *teacher), student, *controls[:1]]
    return [paths.table("parity"), *(_points(model) for model in shown)]


def _points(about: ModelPaths) -> str:
    return about.rows("parity.points")


PARITY = Evaluation(
    name="parity",
    title="Predictions next to references",
    run=run,
    jobs=[Jobs(ModelPaths(), lambda plan: plan.models)],
    inputs=[
        Input(
            "dataset",
            lambda plan, about: plan.training_data(about),
            "Their dataset, with the labels of their teachers if they have any.",
        ),
        MODELS,
    ],
    outputs=[Output("points", _points, "Rows to write of some of the predictions, CSV.")],
    section=ParityEvaluation,
    threads=4,
    device=True,
    work="errors",
    figures=[
        Figure(
            "parity",
            title="Predictions next to references",
            caption="Predictions on the test split against references, of teachers, of one of "
            "their students and of its control: energies per atom, components of forces, and "
            "atomic energies against the teachers'. Darker cells hold more of at most some 2000 "
            "pairs, whose predictions are the means of all members'; R² is that of all pairs.",
            draw=draw,
            files=_drawn,
        )
    ],
)
