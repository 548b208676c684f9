"""Axes: what all figures have in common, colours, panels, lines and what the ordinate is."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mlipkd.evaluation.rows import Row

#: Distinct for all kinds of colour vision (Paul Tol's muted scheme, https://sronpersonalpages.nl/~pault/).
COLOURS = (
    *("#332288", "#cc6677", "#117733", "#ddcc77", "#88ccee"),
    *("#882255", "#44aa99", "#999933", "#aa4499", "#000000"),
)
PANEL = 3.2  # inches
SUBJECTS = {
    "energy": "E",
    "energy_per_atom": "E per atom",
    "conformer_energy": "ΔE",
    "forces": "F",
    "hessian": "H",
    "frequencies": "frequencies",
    "": "g(r)",  # of a metric that says no subject, tae
}


def panels_of(lines: int, columns: int) -> tuple[Figure, np.ndarray]:
    """A figure and its panels: (lines, columns)."""
    figure = Figure(figsize=(PANEL * columns + 0.6, PANEL * lines), layout="constrained")
    return figure, figure.subplots(lines, columns, squeeze=False)


def colours_of(rows: Sequence[Row]) -> dict[str, str]:
    """Families in the table's order, and their colours."""
    families = list(dict.fromkeys(row.family for row in rows))
    return {family: COLOURS[place % len(COLOURS)] for place, family in enumerate(families)}


def line(axes: Axes, points: Sequence[tuple[float, list[float]]], colour: str, family: str) -> None:
    """The mean and, as a bar, the standard deviation of the values at each place."""
    points = [(at, values) for at, values in points if values]
    axes.errorbar(
        [at for at, _ in points],
        [np.mean(values) for _, values in points],
        yerr=[float(np.std(values, ddof=1)) if len(values) > 1 else 0 for _, values in points],
        color=colour,
        marker="o",
        capsize=3,
        label=family,
    )


def band(axes: Axes, at: Sequence[float] | np.ndarray, values: np.ndarray, **style: Any) -> None:
    """A line through the means of values (members, places), and a band of standard deviations."""
    mean = values.mean(0)  # (places,)
    (drawn,) = axes.plot(at, mean, linewidth=1.3, **style)
    if len(values) > 1:
        spread = values.std(0, ddof=1)
        axes.fill_between(
            at, mean - spread, mean + spread, color=drawn.get_color(), alpha=0.2, linewidth=0
        )


def name_ordinate(axes: Axes, rows: Sequence[Row], metric: str) -> None:
    """What the ordinate is."""
    subset, _, name = metric.rpartition("/")
    subject, _, error = name.rpartition("_")
    unit = next(row.unit for row in rows if row.metric == metric)
    of = f" ({subset})" if subset == "all" else ""
    axes.set_ylabel(f"{SUBJECTS[subject]} {error.upper()}{of}, {unit}")
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(MaxNLocator(6))
