"""Errors: energies, forces and Hessians on the test split, which no member of a family has seen."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlipkd import paths
from mlipkd.evaluation.core.evaluation import (
    DATASET,
    MODELS,
    Evaluation,
    Figure,
    Job,
    Jobs,
    Plan,
)
from mlipkd.evaluation.core.rows import ALL, Row, rmse_and_mae, write_rows
from mlipkd.paths import DatasetPaths, ModelPaths

if TYPE_CHECKING:
    import matplotlib.figure

    from mlipkd.datasets.file import DatasetFile
    from mlipkd.evaluation.core.axes import Colours
    from mlipkd.evaluation.core.ensembles import Ensemble

METRICS = rmse_and_mae(energy="eV", energy_per_atom="eV/atom", forces="eV/Å", hessian="eV/Å^2")


def run(job: Job) -> None:
    """Errors of energies and forces on the test split, of members and of their mean.

    Example: mlipkd evaluate errors --dataset dataset.h5 --output errors.csv
    teachers/seed*/model.safetensors
    """
    from mlipkd.datasets.file import DatasetFile
    from mlipkd.evaluation.core.ensembles import dataset_source, load_ensembles, notes_of
    from mlipkd.jobs.device import choose_device

    ensembles, sources = load_ensembles(job.files["models"], choose_device(job.device, job.threads))
    with DatasetFile(job.file("dataset")) as dataset:
        rows = evaluate_errors(dataset, ensembles)
        sources.append(dataset_source(dataset))
    write_rows(job.output, rows, sources, notes_of(ensembles))


def evaluate_errors(dataset: "DatasetFile", ensembles: "Sequence[Ensemble]") -> list[Row]:
    """RMSE and MAE of energy, energy per atom, forces and Hessians, of members and ensemble means.

    Reference labels that are missing are left out, and so are configurations on which a calculator
    failed; a quantity without any yields no rows.

    Raises:
        InputError: the test split is empty, or a member belongs to another dataset.
    """
    from mlipkd.evaluation.core.error_sums import error_rows, error_sums, whole_test_split

    sums = error_sums(dataset, whole_test_split(dataset, ensembles), ensembles)
    return [
        row
        for (number, seed, quantity), errors in sums.items()
        for row in error_rows(ensembles[number], seed, quantity, errors, METRICS)
    ]


def draw_errors(rows: Sequence[Row], colours: "Colours") -> "matplotlib.figure.Figure":
    """Energy per atom and forces of each family and model."""
    from mlipkd.evaluation.core.axes import has, name_of
    from mlipkd.evaluation.core.bars import Panel, side_by_side

    metrics = [m for m in ("energy_per_atom_rmse", "forces_rmse") if has(rows, m)]
    panels = [Panel(rows, metric, "test split", name_of(rows, metric)) for metric in metrics]
    return side_by_side(rows, colours, [panels])


def draw_capacity(rows: Sequence[Row], colours: "Colours") -> "matplotlib.figure.Figure":
    """Errors against the architecture, of the families that have several; lines join the means.

    On all of COMP6 if the rows are of it, and on the test split otherwise.
    """
    from mlipkd.evaluation.core import axes

    on_all = [row for row in rows if row.subset == ALL]
    rows = on_all or rows
    metrics = [
        metric
        for metric in ("energy_rmse", "conformer_energy_rmse")
        if on_all and axes.has(rows, metric)
    ] or [metric for metric in ("energy_per_atom_rmse", "forces_rmse") if axes.has(rows, metric)]
    grids = [family for family in colours if len(axes.models_of(rows, family)) > 1]
    shapes = sorted(
        {model for family in grids for model in axes.models_of(rows, family)}, key=axes.natural
    )
    figure, panels = axes.panels_of(1, len(metrics))
    for panel, metric in zip(panels[0], metrics, strict=True):
        for family in grids:
            points = [
                (place, axes.values_of(rows, metric, family, shape))
                for place, shape in enumerate(shapes)
            ]
            axes.line(panel, points, colours[family], family)
        axes.name_ordinate(panel, rows, metric)
        panel.set_xticks(range(len(shapes)), axes.differences(shapes), rotation=45, ha="right")
    handles = panels[0, 0].get_legend_handles_labels()[0]
    figure.legend(handles=handles, loc="outside upper center", ncols=3, frameon=False)
    return figure


def _capacity(plan: Plan, dataset: DatasetPaths) -> list[str]:
    """COMP6 if the campaign has it, where a family has several models."""
    section = plan.section(dataset)
    if all(len(section.models(family)) == 1 for family in section.families):
        return []
    return [paths.table("comp6" if section.evaluations.comp6 else "errors")]


ERRORS = Evaluation(
    name="errors",
    title="Errors on the test split",
    run=run,
    jobs=[Jobs(ModelPaths(), lambda plan: plan.models)],
    inputs=[DATASET, MODELS],
    threads=4,
    device=True,
    work="errors",
    figures=[
        Figure(
            "errors",
            title="Errors on the test split",
            caption="Root mean square errors on the test split, which no member was trained on or "
            "validated with. A dot is a member, a bar the mean over members, and a diamond the "
            "ensemble, whose prediction is the mean of the members' predictions.",
            draw=draw_errors,
        ),
        Figure(
            "capacity",
            title="Errors against capacity",
            caption="Errors against the architecture, of families with several. Points are means "
            "over members, bars their standard deviations.",
            draw=draw_capacity,
            files=_capacity,
        ),
    ],
)
