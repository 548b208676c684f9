"""Errors, on the test split, on COMP6 and of curvature: families and models one below the other."""

from collections.abc import Sequence
from itertools import chain, zip_longest
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mlipkd.config.functions import CALCULATOR
from mlipkd.evaluation.core.axes import (
    Colours,
    differences,
    has,
    models_of,
    name_of,
    panels_of,
    values_of,
)
from mlipkd.evaluation.core.rows import ENSEMBLE, Row


class Panel(NamedTuple):
    """What a panel of bars shows."""

    metric: str
    title: str
    abscissa: str


BAR = 0.22  # inches, from one bar to the next
LETTER = 0.08  # inches, of the bars' names
ACROSS = 4  # panels of curvature in a line


def errors(rows: Sequence[Row], colours: Colours) -> Figure:
    """Errors on the test split: energy per atom and forces of each family and model."""
    metrics = [m for m in ("energy_per_atom_rmse", "forces_rmse") if has(rows, m)]
    panels = [Panel(metric, "test split", name_of(rows, metric)) for metric in metrics]
    return side_by_side(rows, colours, [panels])


def comp6(rows: Sequence[Row], colours: Colours) -> Figure:
    """Errors on COMP6: a column for each subset, a row for each of E, ΔE and F."""
    subsets = list(dict.fromkeys(row.metric.partition("/")[0] for row in rows))
    subjects = [
        subject
        for subject in ("energy", "conformer_energy", "forces")
        if any(has(rows, f"{subset}/{subject}_rmse") for subset in subsets)
    ]
    panels = [
        [
            Panel(metric, subset, name_of(rows, metric)) if has(rows, metric) else None
            for subset in subsets
            for metric in [f"{subset}/{subject}_rmse"]
        ]
        for subject in subjects
    ]
    return side_by_side(rows, colours, panels)


def curvature(rows: Sequence[Row], colours: Colours) -> Figure:
    """Errors of Hessians on each kind of configurations, and of frequencies on the test split."""
    panels = [
        Panel(metric, metric.partition("/")[0], name_of(rows, metric))
        for metric in dict.fromkeys(row.metric for row in rows)
        if metric.endswith(("/hessian_rmse", "/frequencies_mae"))
        and not metric.startswith("trained/")
    ]
    across = min(len(panels), ACROSS)
    lines = zip_longest(*[iter(panels)] * across)
    return side_by_side(rows, colours, list(lines))


def side_by_side(
    rows: Sequence[Row], colours: Colours, panels: Sequence[Sequence[Panel | None]]
) -> Figure:
    """Panels with a bar for each family and model, in all of them in the same order.

    Total energies of calculators are left out, which are those of another method and off by a
    constant.

    Args:
        rows: a table.
        colours: of families.
        panels: by lines; none where the table has no such rows.
    """
    bars = [
        (family, model, name)
        for family in colours
        for model, name in _names(family, models_of(rows, family)).items()
    ]
    figure, drawn = panels_of(
        len(panels),
        len(panels[0]),
        height=BAR * len(bars) + 0.9,
        margin=LETTER * max(len(name) for *_, name in bars),
    )
    for axes, panel in zip(drawn.flat, chain.from_iterable(panels), strict=True):
        if panel is None:
            axes.set_axis_off()
            continue
        for place, (family, model, _) in enumerate(bars):
            of_energy = panel.metric.rpartition("/")[2].startswith("energy")
            if not (of_energy and model == CALCULATOR):
                _bar(axes, place, rows, panel.metric, family, model, colours[family])
        axes.set_yticks(range(len(bars)), [name for *_, name in bars])
        axes.set_ylim(len(bars) - 0.4, -0.6)
        axes.tick_params(left=False, labelleft=axes in drawn[:, 0])
        axes.set_xlim(left=0)
        axes.set_xlabel(panel.abscissa)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.set_title(panel.title)
    return figure


def _bar(
    axes: Axes, place: int, rows: Sequence[Row], metric: str, family: str, model: str, colour: str
) -> None:
    """The members of one model, their mean and their ensemble, if the table has them."""
    values = values_of(rows, metric, family, model)
    if values:
        axes.barh(place, np.mean(values), color=colour, alpha=0.35, height=0.7)
        axes.plot(values, place + np.linspace(-0.2, 0.2, len(values)), "o", color=colour, ms=3)
    for ensemble in values_of(rows, metric, family, model, ENSEMBLE):
        axes.plot(ensemble, place, "D", color=colour, mfc="white", ms=6)


def _names(family: str, models: Sequence[str]) -> dict[str, str]:
    """What the bars of a family's models are called: of several, by what these differ in."""
    if len(models) == 1:
        return {models[0]: family}
    return {m: f"{family} {d}" for m, d in zip(models, differences(models), strict=True)}
