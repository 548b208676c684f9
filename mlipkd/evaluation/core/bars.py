"""Bars: a metric of every family and model, one below the other, in several panels."""

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mlipkd.config.functions import CALCULATOR
from mlipkd.evaluation.core.axes import (
    Colours,
    differences,
    models_of,
    panels_of,
    values_of,
)
from mlipkd.evaluation.core.rows import ENSEMBLE, Row


class Panel(NamedTuple):
    """What a panel of bars shows."""

    rows: Sequence[Row]
    metric: str
    title: str
    abscissa: str


BAR = 0.22  # inches, from one bar to the next
LETTER = 0.08  # inches, of the bars' names
#: Metrics of total energies. Those of calculators are of another method, and off by a constant.
TOTAL_ENERGIES = ("energy_rmse", "energy_mae", "energy_per_atom_rmse", "energy_per_atom_mae")


def side_by_side(
    rows: Sequence[Row], colours: Colours, panels: Sequence[Sequence[Panel | None]]
) -> Figure:
    """Panels with a bar for each family and model, in all of them in the same order.

    Total energies of calculators are left out.

    Args:
        rows: of a table, whose families and models have bars.
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
            if not (panel.metric in TOTAL_ENERGIES and model == CALCULATOR):
                _bar(axes, place, panel.rows, panel.metric, family, model, colours[family])
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
