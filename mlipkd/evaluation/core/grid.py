"""Grids: rows of a table side by side, as a person reads them; for text and for pages alike."""

import math
import statistics
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from mlipkd.evaluation.core.rows import ENSEMBLE, POOLED, Row

#: What the metrics of an interval's bounds end with; the interval stands beside its metric.
BOUNDS = ("_low", "_high")
#: Members taken together; a line of each is called by what stands for their seed.
TOGETHER = (ENSEMBLE, POOLED)


class Grid(NamedTuple):
    """Cells to be read, all lines as long as the header."""

    header: list[str]
    lines: list[list[str]]


def grid_of(table: str, rows: Sequence[Row]) -> Grid:
    """The rows of one dataset in a table, laid out as this table is best read."""
    return recommendations(rows) if table == "recommended" else pivot(rows)


def pivot(rows: Sequence[Row]) -> Grid:
    """Rows of one dataset: metric and model down, families across."""
    families = list(dict.fromkeys(row.family for row in rows))
    models = list(dict.fromkeys(row.model for row in rows))
    values: dict[tuple[int | str, str, str, str], list[float]] = defaultdict(list)
    for row in rows:
        who = row.seed if row.seed in TOGETHER else ""
        values[who, row.metric, row.model, row.family].append(row.value)

    header = ["metric", "model", *(f"{family} ({_seeds(rows, family)})" for family in families)]
    lines = []
    bounds = {row.metric + bound for row in rows for bound in BOUNDS}
    for metric, unit in dict.fromkeys((row.metric, row.unit) for row in rows):
        if metric in bounds:
            continue
        name = f"{metric}, {unit}" if unit != "1" else metric
        for model in models:
            for who in ("", *TOGETHER):
                cells = [
                    measured(values.get((who, metric, model, f), []))
                    + _interval([values.get((who, metric + b, model, f), []) for b in BOUNDS])
                    for f in families
                ]
                if any(cells):
                    lines.append([name, str(who) or model, *cells])
                    name = ""
    return Grid(header, lines)


def recommendations(rows: Sequence[Row]) -> Grid:
    """Rows of recommendations of one dataset: what is recommended down, its price across."""
    found: dict[str, dict[str, str]] = {}
    for row in rows:
        name, _, metric = row.metric.partition("/")
        title = f"{metric}, {row.unit}" if row.unit != "1" else metric
        line = found.setdefault(name, {"": f"{row.family}/{row.model} seed {row.seed}"})
        line[title] = measured([row.value])
    titles = list(dict.fromkeys(title for line in found.values() for title in line))
    header = ["", "model", *titles[1:]]
    lines = [[name, *(line.get(t, "") for t in titles)] for name, line in found.items()]
    return Grid(header, lines)


def _seeds(rows: Sequence[Row], family: str) -> str:
    """How many seeds a family's models have."""
    seeds: dict[str, set[int | str]] = defaultdict(set)
    for row in rows:
        if row.family == family and row.seed not in TOGETHER:
            seeds[row.model].add(row.seed)
    numbers = sorted({len(found) for found in seeds.values()}) or [0]  # an ensemble may be alone
    return "–".join(str(number) for number in dict.fromkeys((numbers[0], numbers[-1])))


def measured(values: Sequence[float]) -> str:
    """Mean ± standard deviation with two digits of the latter, or four of a value by itself.

    What is less than a thousandth has two digits and its power of ten.
    """
    if not values:
        return ""
    mean = statistics.fmean(values)
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    if 0 < abs(mean) < 1e-3:
        return f"{mean:.1e} ± {spread:.1e}" if spread else f"{mean:.1e}"
    decimals = max(0, 3 - _magnitude(mean))
    if spread:
        decimals = max(0, 1 - _magnitude(spread))
        return f"{mean:.{decimals}f} ± {spread:.{decimals}f}"
    return f"{mean:.{decimals}f}"


def _interval(bounds: Sequence[Sequence[float]]) -> str:
    """The interval of one value; means over seeds have none."""
    low, high = bounds
    return f" ({low[0]:.2f}–{high[0]:.2f})" if len(low) == 1 == len(high) else ""


def _magnitude(value: float) -> int:
    """Power of ten of the first digit."""
    return math.floor(math.log10(abs(value))) if value else 0
