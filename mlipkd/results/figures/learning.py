"""Learning: errors against the epoch, of models that start from the same weights."""

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mlipkd.evaluation.rows import UNITS, Row
from mlipkd.results.figures.axes import SUBJECTS, Colours, band, panels_of
from mlipkd.results.figures.selection import three_of

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
