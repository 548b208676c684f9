"""Learning: how the errors of members fell while they trained, from their histories.

Learning: errors against the epoch, of models that start from the same weights.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mlipkd.errors import InputError
from mlipkd.evaluation.core.axes import SUBJECTS, Colours, band, panels_of, three_of
from mlipkd.evaluation.core.ensembles import source_of
from mlipkd.evaluation.core.rows import UNITS, Row, Source, made_by
from mlipkd.evaluation.cost.cost import count_weights
from mlipkd.hipnn.file import Potential, load_potential
from mlipkd.training.history import read_history

#: How many epochs of a history are kept at most, beside the last.
EPOCHS = 100
QUANTITIES = ("energy", "energy_per_atom", "forces")


def evaluate_learning(models: Sequence[Path]) -> tuple[list[Row], list[Source]]:
    """RMSE of the reference labels of training and validation configurations against the epoch.

    Those of training are gathered while the weights change, each mini-batch before its step; those
    of validation are of the weights after the epoch. Where a term's weight is zero, there are none
    of training. Histories longer than ``EPOCHS`` are thinned evenly, the first and the
    last epoch kept, and all to the same epochs, so that members can be averaged. With the errors
    comes the number of weights, by which architectures are put in order.

    Args:
        models: model files of members, each with its ``history.jsonl`` beside it.

    Raises:
        InputError: a file is missing or damaged, or a history is not that of the model beside it.
    """
    potentials = {path: load_potential(path) for path in models}
    histories = {path: _history(path, potential) for path, potential in potentials.items()}
    longest = max(len(lines) for lines, _ in histories.values())
    kept = set(np.linspace(1, longest, min(longest, EPOCHS)).round().astype(int).tolist())
    rows, sources = [], []
    for path, potential in potentials.items():
        own = potential.metadata
        lines, source = histories[path]
        rows += [
            Row(own["dataset"], own["family"], own["model"], own["seed"], metric, value, unit)
            for metric, value, unit in _numbers(potential, lines, kept)
        ]
        sources += [source_of(path, potential), source]
    return rows, sources


def _history(path: Path, potential: Potential) -> tuple[list[dict], Source]:
    """The history beside a model file."""
    beside, training = path.with_name("history.jsonl"), potential.metadata["training"]
    lines, digest = read_history(beside)
    best = [line["validation_loss"] for line in lines if line["epoch"] == training["best_epoch"]]
    if best != [training["best_loss"]]:
        raise InputError(
            f"{beside}: expected the history of {path}, got one without its validation loss of "
            f"{training['best_loss']:.6g} in epoch {training['best_epoch']}; train that member "
            "again"
        )
    return lines, Source(str(beside), digest, [made_by(potential.metadata)])


def _numbers(
    potential: Potential, lines: Sequence[dict], kept: set[int]
) -> Iterator[tuple[str, float, str]]:
    """Metric, value and unit of all rows of one member."""
    units = UNITS["learning"]
    yield "weights", count_weights(potential), units["weights"]
    for line in lines:
        if line["epoch"] not in kept and line is not lines[-1]:
            continue
        for split in ("training", "validation"):
            for quantity in QUANTITIES:
                if found := line[split].get(f"reference {quantity}"):
                    metric = f"{quantity}_rmse"
                    yield f"epoch{line['epoch']}/{split}_{metric}", found["rmse"], units[metric]


STYLES = {"training": "--", "validation": "-"}

#: Of a family, model and metric: the values of all members in each epoch.
Curves = dict[tuple[str, str, str], dict[int, list[float]]]


def learning(rows: Sequence[Row], colours: Colours) -> Figure:
    """Errors of training and validation as members train: means and standard deviations over them.

    A row for each of forces and energies, a column for each of at most three architectures, or all
    in one row if there is one architecture; in each the families that have all of these: students
    and their controls. Curves go as far as all members do. Families that learn from teachers'
    labels alone have none, and are left out.
    """
    curves = _curves(rows)
    drawn = {family for family, _, _ in curves}
    families, models = _compared([row for row in rows if row.family in drawn])
    models = three_of(rows, models)
    quantities = [
        quantity
        for quantity in ("forces", "energy", "energy_per_atom")
        if any((f, m, f"validation_{quantity}_rmse") in curves for f in families for m in models)
    ]
    rectangle = (len(quantities), len(models))
    figure, panels = panels_of(*(rectangle if len(models) > 1 else reversed(rectangle)))
    panels = panels.reshape(rectangle)
    compared = {f: colour for f, colour in colours.items() if f in families}
    for quantity, across in zip(quantities, panels, strict=True):
        for model, axes in zip(models, across, strict=True):
            for family, colour in compared.items():
                for split, style in STYLES.items():
                    curve = curves.get((family, model, f"{split}_{quantity}_rmse"))
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
        unit = UNITS["learning"][f"{quantity}_rmse"]
        across[0].set_ylabel(f"{SUBJECTS[quantity]} RMSE, {unit}")
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
        epoch, _, metric = row.metric.partition("/")
        if metric:
            number = int(epoch.removeprefix("epoch"))
            curves[row.family, row.model, metric][number].append(row.value)
    return curves


def _common(curve: dict[int, list[float]]) -> tuple[list[int], np.ndarray]:
    """The epochs that all members went through, and the values: (members, epochs)."""
    members = max((len(values) for values in curve.values()), default=0)
    epochs = sorted(epoch for epoch, values in curve.items() if len(values) == members)
    return epochs, np.array([curve[epoch] for epoch in epochs]).reshape(-1, members).T
