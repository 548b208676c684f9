"""Radial distribution functions g(r) of the liquid of an element, and how far they are from a
teacher's.

By the total absolute error TAE = Σ |g(r) − g_ref(r)| Δr (Matin et al., Digital Discovery 4, 2502
(2025)).
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from pydantic import PositiveFloat

from mlipkd import paths
from mlipkd.config.section import Name, Section
from mlipkd.errors import InputError
from mlipkd.evaluation.core.evaluation import (
    Evaluation,
    Figure,
    Input,
    Job,
    Jobs,
    Plan,
    members_of,
)
from mlipkd.evaluation.core.rows import Row, Source, made_by, read_rows, write_rows
from mlipkd.paths import ModelPaths

if TYPE_CHECKING:
    import matplotlib.figure

    from mlipkd.datasets.file import DatasetFile
    from mlipkd.evaluation.core.axes import Colours

#: How much of the far end of g(r) should have come to 1, Å.
TAIL = 1.0

METRICS = {"g": "1"}
STRUCTURE_METRICS = {"tae": "Å", "peak": "Å", "tail": "1"}

Member = tuple[str, str, str, int | str]
"""Dataset, family, model and seed."""
#: Of a family and model: g(r) of each member, by r in Å.
Functions = dict[tuple[str, str], dict[int | str, dict[float, float]]]


class RdfEvaluation(Section):
    """Radial distribution functions of the liquid, next to that of a teacher."""

    teacher: Name
    """The trained family, of one model, whose g(r) others are measured by."""
    cutoff: PositiveFloat = 10.0
    """How far g(r) reaches, Å; at most half of the box."""
    bin: PositiveFloat = 0.05
    """Width of the bins, Å."""


def run(job: Job) -> None:
    """Radial distribution function of each member's liquid.

    Example: mlipkd evaluate rdf --settings rdf.yaml --output rdf.csv teachers/seed*/liquid.h5
    """
    from mlipkd.datasets.file import DatasetFile

    rows, notes, sources = [], [], []
    for path in job.files["trajectories"]:
        with DatasetFile(path) as trajectory:
            of_member, note, source = evaluate_rdf(trajectory, job.section)
        rows += of_member
        notes += note
        sources.append(source)
    write_rows(job.output, rows, sources, notes)


def radial_distribution(
    trajectory: "DatasetFile", cutoff: float, width: float
) -> dict[float, float]:
    """g(r) by the middle of each bin, Å, over all frames of one species.

    Args:
        trajectory: frames of one system.
        cutoff: how far it reaches, Å.
        width: of the bins, Å, which are made to fit.

    Raises:
        InputError: the cut-off is more than half of the box, from where atoms meet their images.
    """
    from mlipkd.dynamics.distributions import frames_of, radial_distributions

    bins = round(cutoff / width)
    frames = frames_of(trajectory, range(len(trajectory)), cutoff)
    (g,) = radial_distributions(frames, cutoff, cutoff / bins).values()
    edges = np.linspace(0, cutoff, bins + 1)  # (bins + 1,)
    middles = (edges[1:] + edges[:-1]) / 2  # (bins,)
    return dict(zip(middles.tolist(), g.tolist(), strict=True))


def evaluate_rdf(
    trajectory: "DatasetFile", settings: RdfEvaluation
) -> tuple[list[Row], list[str], Source]:
    """g(r) of frames that ``evaluate_liquid`` made, by the middles of bins; of a failed run, notes.

    Raises:
        InputError: the file is another dataset, or the cut-off more than half of the box.
    """
    record = trajectory.provenance
    if "sampled_by" not in record:
        raise InputError(
            f"{trajectory.path}: expected frames of a liquid, got another dataset; give a liquid.h5"
        )
    by = record["sampled_by"]
    versions = sorted({made_by(record), made_by(by)})
    source = Source(str(trajectory.path), trajectory.sha256, versions)
    if record["failed"]:
        name = f"{by['family']}/{by['model']} seed {by['seed']}"
        return [], [f"{name}: no g(r), its run failed in the {record['failed']}"], source
    who = trajectory.name, by["family"], by["model"], by["seed"]
    distribution = radial_distribution(trajectory, settings.cutoff, settings.bin)
    rows = [
        Row(*who, "g", g, METRICS["g"], condition="distance", at=r, at_unit="Å")
        for r, g in distribution.items()
    ]
    return rows, [], source


def run_structure(job: Job) -> None:
    """How far each member's radial distribution function is from the teacher's.

    Example: mlipkd evaluate structure --rdf rdf.csv --teacher rdf.csv --output structure.csv
    """
    rows, source = read_rows(job.file("rdf"))
    reference, teacher = read_rows(job.file("teacher"))
    write_rows(job.output, evaluate_structure(rows, reference), [source, teacher])


def evaluate_structure(rows: Sequence[Row], reference: Sequence[Row]) -> list[Row]:
    """How far each member's g(r) is from a reference family's.

    - ``tae``: the total absolute error against the mean over the reference's members. A member
      of the reference itself is measured by the others: what seeds and time alone make.
    - ``peak``: where the first and highest maximum is.
    - ``tail``: mean of |g − 1| over the last Å.

    Args:
        rows: of ``evaluate_rdf``, of members of one model.
        reference: the same, of the teacher's model.

    Raises:
        InputError: they are binned differently.
    """
    curves, references = _curves(rows), _curves(reference)
    structure = []
    for who, (r, g) in curves.items():
        for name, (other, _) in references.items():
            if not np.array_equal(r, other):
                raise InputError(
                    f"{_bins(name, other)}, but {_bins(who, r)}: expected the same bins of both; "
                    "evaluate both g(r) with the same settings"
                )
        # The same member may have been run again, by another engine say: that is no comparison
        # with itself.
        others = [
            curve
            for name, (_, curve) in references.items()
            if name != who or not np.array_equal(curve, g)
        ]
        values = {
            "peak": r[g.argmax()],
            "tail": np.abs(g - 1)[r > r[-1] - TAIL].mean(),
        }
        if others:
            width = r[1] - r[0]
            values = {"tae": np.abs(g - np.mean(others, axis=0)).sum() * width, **values}
        structure += [
            Row(*who, metric, float(value), STRUCTURE_METRICS[metric])
            for metric, value in values.items()
        ]
    return structure


def _bins(who: Member, r: np.ndarray) -> str:
    """How the g(r) of a member is binned, by the middles of the bins (bins,), Å."""
    _, family, model, seed = who
    return f"{family}/{model} seed {seed} has {len(r)} bins from {r[0]:g} to {r[-1]:g} Å"


def _curves(rows: Sequence[Row]) -> dict[Member, tuple[np.ndarray, np.ndarray]]:
    """r and g of each member: (bins,) each."""
    points: dict[Member, list[tuple[float, float]]] = {}
    for row in rows:
        assert row.at is not None
        points.setdefault(row[:4], []).append((row.at, row.value))
    return {who: tuple(np.array(sorted(curve)).T) for who, curve in points.items()}


def draw(rows: Sequence[Row], colours: "Colours", teacher: str) -> "matplotlib.figure.Figure":
    """Radial distribution functions, and how they differ from the mean of the teachers'.

    Means over members, in bands of their standard deviations. Next to the teachers stand the
    recommended models where the table names any; or else all others, and if there are more than
    three, the smallest, the middle and the largest of the next family. Where all runs of the
    teachers failed, there is nothing to differ from, and the panel of differences says so.

    Args:
        rows: of the tables ``rdf`` and ``recommended``.
        colours: of the families.
        teacher: the family that others are measured by, of one model.

    Raises:
        InputError: there is none.
    """
    from mlipkd.evaluation.core.axes import band, panels_of, styles_of

    functions = _functions(rows)
    if not functions:
        raise InputError(
            "expected radial distribution functions, got none: all runs failed; look into "
            "results/tables/liquid.csv, and train longer or melt at a lower temperature"
        )
    teachers = [who for who in functions if who[0] == teacher]
    drawn = [*teachers, *_others(rows, functions, teacher)]
    distances = sorted(next(iter(next(iter(functions.values())).values())))

    figure, ((absolute, relative),) = panels_of(1, 2)
    for who, style in styles_of(drawn, colours).items():
        values = _values(functions[who])
        band(absolute, distances, values, **style)
        if teachers:
            difference = values - _values(functions[teachers[0]]).mean(0)
            band(relative, distances, difference, **style)
    if not teachers:
        relative.text(0.5, 0.5, f"no g(r) of {teacher}", ha="center", transform=relative.transAxes)
    absolute.set_ylabel("g(r)")
    relative.set_ylabel(f"Δg(r) from {teacher}")
    for axes in (absolute, relative):
        axes.set_xlabel("r, Å")
    figure.legend(handles=absolute.lines, loc="outside upper center", ncols=2, frameon=False)
    return figure


def _others(rows: Sequence[Row], functions: Functions, teacher: str) -> list[tuple[str, str]]:
    """The families and models that are drawn next to the teachers."""
    from mlipkd.evaluation.core.axes import three_of

    recommended = {
        (row.family, row.model): None for row in rows if row.metric == "weights" and row.subset
    }
    if recommended:  # the teacher is among them
        return [who for who in recommended if who in functions and who[0] != teacher]
    others = [who for who in functions if who[0] != teacher]
    if len(others) <= 3:
        return others
    family = others[0][0]
    return [(family, model) for model in three_of(rows, [m for f, m in others if f == family])]


def _functions(rows: Sequence[Row]) -> Functions:
    functions: Functions = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        if isinstance(row.seed, int) and row.metric == "g" and row.at is not None:
            functions[row.family, row.model][row.seed][row.at] = row.value
    return functions


def _values(members: dict[int | str, dict[float, float]]) -> np.ndarray:
    """(members, distances)"""
    return np.array([[g[r] for r in sorted(g)] for g in members.values()])


def _teachers_rdf(plan: Plan, about: ModelPaths) -> str:
    """The rows that those of a model are measured by."""
    section = plan.section(about)
    teacher = section.evaluations.rdf.teacher
    return ModelPaths(about.dataset, teacher, section.models(teacher)[0]).rows("rdf")


RDF = Evaluation(
    name="rdf",
    title="The liquid",
    run=run,
    jobs=[Jobs(ModelPaths(), lambda plan: plan.potentials)],
    inputs=[
        Input(
            "trajectories",
            lambda plan, about: [m.frames("liquid") for m in members_of(plan, about)],
            "Frames of the members of a model, HDF5.",
            several=True,
        )
    ],
    section=RdfEvaluation,
    curves=True,
    minutes=60,
    figures=[
        Figure(
            "rdf",
            title="Radial distribution functions",
            caption="Radial distribution functions g(r) of the liquid, and on the right their "
            "difference from the mean of the teachers', unless none of these has one. Lines are "
            "means over members, bands their standard deviations. Shown are the teachers and the "
            "recommended models, or else some others.",
            draw=draw,
            files=lambda plan, dataset: [
                paths.table("rdf"),
                *(
                    [paths.table("recommended")]
                    if plan.section(dataset).evaluations.recommended
                    else []
                ),
            ],
            options=lambda plan, dataset: {
                "teacher": plan.section(dataset).evaluations.rdf.teacher
            },
        )
    ],
)

STRUCTURE = Evaluation(
    name="structure",
    title="The liquid",
    run=run_structure,
    jobs=[Jobs(ModelPaths(), lambda plan: plan.potentials)],
    inputs=[
        Input("rdf", lambda plan, about: about.rows("rdf"), "Rows of the evaluation rdf, CSV."),
        Input("teacher", _teachers_rdf, "The same of the teacher's model."),
    ],
    asked_by="rdf",
    local=True,
)
