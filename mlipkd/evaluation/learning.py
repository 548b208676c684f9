"""Learning: how the errors of members fell while they trained, from their histories."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mlipkd.errors import InputError
from mlipkd.evaluation.core.evaluation import Evaluation, Figure, Input, Job, Jobs, Plan, members_of
from mlipkd.evaluation.core.rows import Row, Source, made_by, write_rows
from mlipkd.paths import ModelPaths
from mlipkd.training.history import read_history

if TYPE_CHECKING:
    import matplotlib.figure

    from mlipkd.evaluation.core.axes import Colours
    from mlipkd.hipnn.file import Potential

#: Largest number of epochs taken from a history, in addition to the last one.
EPOCHS = 100
QUANTITIES = ("energy", "energy_per_atom", "forces")
#: Splits, and the lines that their errors are drawn with.
STYLES = {"training": "--", "validation": "-"}

METRICS = {
    "weights": "1",
    "energy_rmse": "eV",
    "energy_per_atom_rmse": "eV/atom",
    "forces_rmse": "eV/Å",
}

#: Of a family, model, split and metric: the values of all members in each epoch.
Curves = dict[tuple[str, str, str, str], dict[float, list[float]]]


def run(job: Job) -> None:
    """Errors of training and validation against the epoch, from the histories of members.

    Example: mlipkd evaluate learning --output learning.csv teachers/seed*/model.safetensors
    """
    rows, sources = evaluate_learning(job.files["models"])
    write_rows(job.output, rows, sources)


def evaluate_learning(models: Sequence[Path]) -> tuple[list[Row], list[Source]]:
    """RMSE of the reference labels of training and validation configurations against the epoch.

    Those of training are gathered while the weights change, each mini-batch before its step; those
    of validation are of the weights after the epoch. Where a term's weight is zero, there are none
    of training. Histories longer than ``EPOCHS`` are thinned evenly, the first and the
    last epoch kept, and all to the same epochs, so that members can be averaged. With the errors
    comes the number of weights, by which architectures are put in order.

    Args:
        models: model files of members, each with its ``history.jsonl`` next to it.

    Raises:
        InputError: a file is missing or damaged, or a history is not that of the model next to it.
    """
    from mlipkd.evaluation.core.ensembles import source_of
    from mlipkd.hipnn.file import load_potential

    potentials = {path: load_potential(path) for path in models}
    histories = {path: _history(path, potential) for path, potential in potentials.items()}
    longest = max(len(lines) for lines, _ in histories.values())
    epochs = set(np.linspace(1, longest, min(longest, EPOCHS)).round().astype(int).tolist())
    rows: list[Row] = []
    sources: list[Source] = []
    for path, potential in potentials.items():
        lines, source = histories[path]
        rows += _rows(potential, lines, epochs)
        sources += [source_of(path, potential), source]
    return rows, sources


def _history(path: Path, potential: "Potential") -> tuple[list[dict], Source]:
    """The history next to a model file."""
    file, training = path.with_name("history.jsonl"), potential.metadata["training"]
    lines, digest = read_history(file)
    best = [line["validation_loss"] for line in lines if line["epoch"] == training["best_epoch"]]
    if best != [training["best_loss"]]:
        raise InputError(
            f"{file}: expected the history of {path}, got one without its validation loss of "
            f"{training['best_loss']:.6g} in epoch {training['best_epoch']}; train that member "
            "again"
        )
    return lines, Source(str(file), digest, [made_by(potential.metadata)])


def _rows(potential: "Potential", lines: Sequence[dict], epochs: set[int]) -> Iterator[Row]:
    """All rows of one member."""
    from mlipkd.evaluation.cost.cost import count_weights

    known = potential.metadata
    who = known["dataset"], known["family"], known["model"], known["seed"]
    yield Row(*who, "weights", count_weights(potential), METRICS["weights"])
    for line in lines:
        if line["epoch"] not in epochs and line is not lines[-1]:
            continue
        for split in STYLES:
            for quantity in QUANTITIES:
                if errors := line[split].get(f"reference {quantity}"):
                    metric = f"{quantity}_rmse"
                    yield Row(
                        *who, metric, errors["rmse"], METRICS[metric], split, "epoch", line["epoch"]
                    )


def draw(rows: Sequence[Row], colours: "Colours") -> "matplotlib.figure.Figure":
    """Errors of training and validation as members train: means and standard deviations over them.

    A row for each of forces and energies, a column for each of at most three architectures, or all
    in one row if there is one architecture; in each the families that have all of these: students
    and their controls. Curves go as far as all members do. Families that learn from teachers'
    labels alone have none, and are left out.
    """
    from matplotlib.lines import Line2D

    from mlipkd.evaluation.core.axes import band, name_of, panels_of, three_of

    curves = _curves(rows)
    drawn = {family for family, *_ in curves}
    families, models = _compared([row for row in rows if row.family in drawn])
    models = three_of(rows, models)
    metrics = [
        metric
        for metric in ("forces_rmse", "energy_rmse", "energy_per_atom_rmse")
        if any((f, m, "validation", metric) in curves for f in families for m in models)
    ]
    rectangle = (len(metrics), len(models))
    figure, panels = panels_of(*(rectangle if len(models) > 1 else reversed(rectangle)))
    panels = panels.reshape(rectangle)
    compared = {f: colour for f, colour in colours.items() if f in families}
    for metric, across in zip(metrics, panels, strict=True):
        for model, axes in zip(models, across, strict=True):
            for family, colour in compared.items():
                for split, style in STYLES.items():
                    curve = curves.get((family, model, split, metric))
                    if curve:
                        epochs, values = _common(curve)
                        band(axes, epochs, values, color=colour, linestyle=style)
            axes.sharey(across[0])
            axes.set_title(model)
            axes.set_xlabel("epoch")
        across[0].set_yscale("log")
        # Bands may reach down to zero, which lies nowhere on the axis.
        means = np.concatenate([line.get_ydata() for axes in across for line in axes.lines])
        across[0].set_ylim(means.min() / 1.3, means.max() * 1.3)
        across[0].set_ylabel(name_of(rows, metric))
    figure.legend(
        handles=[Line2D([], [], color=colour, label=f) for f, colour in compared.items()]
        + [Line2D([], [], color="0.4", ls=style, label=split) for split, style in STYLES.items()],
        loc="outside upper center",
        ncols=2 if panels.size == 1 else 3,
        frameon=False,
    )
    return figure


def _compared(rows: Sequence[Row]) -> tuple[frozenset[str], list[str]]:
    """The families that have most architectures in common, and these; one, if none have any."""
    who: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        who[row.model].add(row.family)
    shared = Counter(frozenset(families) for families in who.values())
    chosen = max(shared, key=lambda families: (len(families) > 1, shared[families], len(families)))
    return chosen, [model for model, families in who.items() if chosen <= families]


def _curves(rows: Sequence[Row]) -> Curves:
    curves: Curves = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row.at is not None:
            curves[row.family, row.model, row.subset, row.metric][row.at].append(row.value)
    return curves


def _common(curve: dict[float, list[float]]) -> tuple[list[float], np.ndarray]:
    """The epochs that all members went through, and the values: (members, epochs)."""
    members = max((len(values) for values in curve.values()), default=0)
    epochs = sorted(epoch for epoch, values in curve.items() if len(values) == members)
    return epochs, np.array([curve[epoch] for epoch in epochs]).reshape(-1, members).T


def _compared_models(plan: Plan) -> list[ModelPaths]:
    """Models that are trained with a teacher and without one."""
    return [model for model in plan.trained if model.model in plan.compared(model.dataset)]


LEARNING = Evaluation(
    name="learning",
    title="Learning",
    run=run,
    jobs=[Jobs(ModelPaths(), _compared_models)],
    inputs=[
        Input(
            "models",
            lambda plan, about: [member.weights for member in members_of(plan, about)],
            "Model files, history.jsonl next to each.",
            several=True,
        ),
        Input(
            "histories", lambda plan, about: [member.history for member in members_of(plan, about)]
        ),
    ],
    curves=True,
    local=True,
    figures=[
        Figure(
            "learning",
            title="Learning curves",
            caption="Errors of the training and the validation configurations as training goes on, "
            "for students and their controls, which begin with the same weights. Lines are means "
            "over members, bands their standard deviations. Errors of training are gathered while "
            "the weights change, those of validation are of the weights after the epoch.",
            draw=draw,
        )
    ],
)
