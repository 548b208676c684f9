"""What the figures of rows have in common: which rows, colours, panels, lines and names of axes.

A family has the same colour in all of them, black is the reference. Dots are members, a bar their
mean, a diamond the ensemble, the mean of the members' predictions (compare Matin et al.,
arXiv 2503.14293, Figs. 2-6).
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mlipkd.evaluation.core.curves import REFERENCE
from mlipkd.evaluation.core.rows import ALL, Row


def has(rows: Sequence[Row], metric: str) -> bool:
    """Whether any row states a metric."""
    return any(row.metric == metric for row in rows)


def models_of(rows: Sequence[Row], family: str) -> list[str]:
    """A family's models, in the table's order."""
    return list(dict.fromkeys(row.model for row in rows if row.family == family))


def values_of(
    rows: Sequence[Row], metric: str, family: str, model: str, seed: str | None = None
) -> list[float]:
    """Those of the members, or of one other seed: ``ensemble``."""
    return [
        row.value
        for row in rows
        if (row.metric, row.family, row.model) == (metric, family, model)
        and (row.seed == seed if seed else isinstance(row.seed, int))
    ]


def three_of(rows: Sequence[Row], models: Iterable[str]) -> list[str]:
    """Models in ascending order; of more than three the smallest, the middle and the largest.

    In the order of their number of weights, if the table has it, otherwise of their names.
    """
    sizes = {row.model: row.value for row in rows if row.metric == "weights"}
    ordered = sorted(models, key=lambda model: (sizes.get(model, 0), natural(model)))
    if len(ordered) <= 3:
        return ordered
    return [ordered[0], ordered[len(ordered) // 2], ordered[-1]]


def natural(name: str) -> list[int | str]:
    """A key that sorts the numbers in names as numbers."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def differences(shapes: Sequence[str]) -> list[str]:
    """Names of architectures without the parts that all have in common."""
    parts = [shape.split("-") for shape in shapes]
    differing = [column for column in zip(*parts, strict=True) if len(set(column)) > 1]
    return [" ".join(names) for names in zip(*differing, strict=True)]


#: Distinct for all kinds of colour vision (Paul Tol's muted scheme, https://sronpersonalpages.nl/~pault/).
COLOURS = (
    *("#332288", "#cc6677", "#117733", "#ddcc77", "#88ccee"),
    *("#882255", "#44aa99", "#999933", "#aa4499", "#777777"),
)
#: What is no family, the reference that families are compared with.
BLACK = "black"
#: Of the models of one family.
LINES = ("-", "--", ":", "-.")
PANEL = 3.2  # inches

Colours = Mapping[str, str]
"""Families, and the colour that each has in all figures of its dataset."""
Styles = dict[tuple[str, str], dict[str, Any]]
"""How the lines of a family and model are drawn."""

#: What metrics are called on axes.
SYMBOLS = {
    f"{quantity}_{error}": f"{symbol} {error.upper()}"
    for quantity, symbol in {
        "energy": "E",
        "energy_per_atom": "E per atom",
        "conformer_energy": "ΔE",
        "forces": "F",
        "hessian": "H",
        "frequencies": "frequencies",
    }.items()
    for error in ("rmse", "mae")
} | {"tae": "g(r) TAE"}


def panels_of(
    lines: int, columns: int, height: float = PANEL, margin: float = 0.6
) -> tuple[Figure, np.ndarray]:
    """A figure and its panels: (lines, columns).

    Args:
        lines, columns: of panels.
        height: of a panel, inches.
        margin: what stands to the left of all panels, inches.
    """
    figure = Figure(figsize=(PANEL * columns + margin, height * lines), layout="constrained")
    return figure, figure.subplots(lines, columns, squeeze=False)


def colours_of(families: Iterable[str]) -> Colours:
    """The colours of families, by their place; what is no family is black."""
    named = dict.fromkeys(family for family in families if family != REFERENCE[0])
    colours = {family: COLOURS[place % len(COLOURS)] for place, family in enumerate(named)}
    return colours | {REFERENCE[0]: BLACK}


def styles_of(models: Iterable[tuple[str, str]], colours: Colours) -> Styles:
    """Of each family and model the colour of the family, and the model's line style."""
    styles: Styles = {}
    drawn: Counter[str] = Counter()
    for family, model in models:
        styles[family, model] = {
            "color": colours[family],
            "linestyle": LINES[drawn[family] % len(LINES)],
            "label": f"{family} {model}" if (family, model) != REFERENCE[:2] else family,
        }
        drawn[family] += 1
    return styles


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
    axes.set_ylabel(name_of(rows, metric))
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(MaxNLocator(6))


def name_of(rows: Sequence[Row], metric: str) -> str:
    """A metric and its unit, as an axis says them."""
    row = next(row for row in rows if row.metric == metric)
    of = f" ({ALL})" if row.subset == ALL else ""
    return f"{SYMBOLS[metric]}{of}, {row.unit}"
