"""Grids: rows of a table side by side, as a person reads them; for text and for pages alike."""

import math
import statistics
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from mlipkd.evaluation.core.rows import ENSEMBLE, POOLED, Row

#: What the metrics of an interval's bounds end with; the interval stands next to its metric.
BOUNDS = ("_low", "_high")
#: Members taken together; a line of each is called by what stands for their seed.
TOGETHER = (ENSEMBLE, POOLED)


class Grid(NamedTuple):
    """Cells to be read, all lines as long as the header."""

    header: list[str]
    lines: list[list[str]]


def pivot(rows: Sequence[Row]) -> Grid:
    """Rows of one dataset: metrics, and what qualifies them, and models down, families across."""
    families = list(dict.fromkeys(row.family for row in rows))
    models = list(dict.fromkeys(row.model for row in rows))
    values: dict[tuple, list[float]] = defaultdict(list)
    for row in rows:
        who = row.seed if row.seed in TOGETHER else ""
        values[who, row.model, row.family, row.metric, _qualified(row)].append(row.value)

    subsets, conditions = any(row.subset for row in rows), any(row.condition for row in rows)
    header = [
        *(["subset"] if subsets else []),
        "metric",
        *(["at"] if conditions else []),
        "model",
        *(f"{family} ({_seeds(rows, family)})" for family in families),
    ]
    lines = []
    bounds = {row.metric + bound for row in rows for bound in BOUNDS}
    for (metric, qualified), row in _first(rows).items():
        if metric in bounds:
            continue
        names = [
            *([row.subset] if subsets else []),
            named(row),
            *([condition_of(row)] if conditions else []),
        ]
        for model in models:
            for who in ("", *TOGETHER):
                cells = [
                    measured(values.get((who, model, f, metric, qualified), []))
                    + _interval(
                        [values.get((who, model, f, metric + b, qualified), []) for b in BOUNDS]
                    )
                    for f in families
                ]
                if any(cells):
                    lines.append([*names, str(who) or model, *cells])
                    names = [""] * len(names)
    return Grid(header, lines)


def _qualified(row: Row) -> tuple:
    """All that qualifies a row's metric."""
    return row.subset, row.condition, row.at, row.at_unit


def _first(rows: Sequence[Row]) -> dict[tuple[str, tuple], Row]:
    """The first row of each metric and what qualifies it, in the table's order."""
    first: dict[tuple[str, tuple], Row] = {}
    for row in rows:
        first.setdefault((row.metric, _qualified(row)), row)
    return first


def by_subset(rows: Sequence[Row]) -> Grid:
    """Rows of one dataset, of one member for each subset: subsets down, metrics across."""
    by_name: dict[str, dict[str, str]] = {}
    for row in rows:
        line = by_name.setdefault(row.subset, {"": f"{row.family}/{row.model} seed {row.seed}"})
        line[named(row)] = measured([row.value])
    titles = list(dict.fromkeys(title for line in by_name.values() for title in line))
    header = ["", "model", *titles[1:]]
    lines = [[name, *(line.get(t, "") for t in titles)] for name, line in by_name.items()]
    return Grid(header, lines)


def named(row: Row) -> str:
    """A metric and its unit, if it has one."""
    return f"{row.metric}, {row.unit}" if row.unit != "1" else row.metric


def condition_of(row: Row) -> str:
    """What was varied and its value, if anything was."""
    if row.at is None:
        return ""
    return f"{row.condition} {row.at:.9g} {row.at_unit}".rstrip()


def _seeds(rows: Sequence[Row], family: str) -> str:
    """How many seeds a family's models have."""
    seeds: dict[str, set[int | str]] = defaultdict(set)
    for row in rows:
        if row.family == family and row.seed not in TOGETHER:
            seeds[row.model].add(row.seed)
    numbers = sorted({len(members) for members in seeds.values()})
    numbers = numbers or [0]  # there may be only an ensemble
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
