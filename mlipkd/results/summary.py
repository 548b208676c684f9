"""Summary: the tables at a glance, as Markdown that reads well in a terminal, too."""

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from mlipkd.evaluation.rows import ENSEMBLE, POOLED, Row, read_rows

INTRODUCTION = """\
# Summary

Members: mean ± standard deviation over seeds, whose number stands beside the family's name.
*Ensemble*: the mean of all members' predictions. *All*: the runs of all members together.
"""

#: What the metrics of an interval's bounds end with; the interval stands beside its metric.
BOUNDS = ("_low", "_high")
#: Members taken together, and what their line is called.
TOGETHER = {ENSEMBLE: "*ensemble*", POOLED: "*all*"}


def summary(tables: Sequence[Path]) -> str:
    """One pivot table for each evaluation (a table's name) and dataset; models against families."""
    parts, versions = [INTRODUCTION], set()
    for path in tables:
        rows, source = read_rows(path)
        versions.update(source.made_by)
        for dataset in dict.fromkeys(row.dataset for row in rows):
            of_dataset = [row for row in rows if row.dataset == dataset]
            layout = recommendations if path.stem == "recommended" else pivot
            parts.append(f"## {dataset}: {path.stem}\n\n{layout(of_dataset)}")
    parts.append(f"{made_by_line(sorted(versions))}\n")
    return "\n".join(parts)


def made_by_line(versions: Sequence[str]) -> str:
    """Who made the numbers; a warning if they are not of one version."""
    if len(versions) == 1:
        return f"Made by {versions[0]}."
    return (
        f"**Warning: made by {len(versions)} versions ({'; '.join(versions)}). Numbers may not be "
        "comparable; run the campaign again to make all of them by one.**"
    )


def pivot(rows: Sequence[Row]) -> str:
    """Rows of one dataset as a Markdown table: metric and model down, families across."""
    families = list(dict.fromkeys(row.family for row in rows))
    models = list(dict.fromkeys(row.model for row in rows))
    values: dict[tuple[int | str, str, str, str], list[float]] = defaultdict(list)
    for row in rows:
        who = row.seed if row.seed in TOGETHER else ""
        values[who, row.metric, row.model, row.family].append(row.value)

    header = ["metric", "model", *(f"{family} ({_seeds(rows, family)})" for family in families)]
    lines = []
    for metric, unit in dict.fromkeys((row.metric, row.unit) for row in rows):
        if metric.endswith(BOUNDS):
            continue
        name = f"{metric}, {unit}" if unit != "1" else metric
        for model in models:
            for who, label in {"": model, **TOGETHER}.items():
                cells = [
                    _measured(values.get((who, metric, model, f), []))
                    + _interval([values.get((who, metric + b, model, f), []) for b in BOUNDS])
                    for f in families
                ]
                if any(cells):
                    lines.append([name, label, *cells])
                    name = ""
    return _table(header, lines)


def recommendations(rows: Sequence[Row]) -> str:
    """Rows of recommendations of one dataset as a Markdown table: what is recommended down, its
    price across."""
    found: dict[str, dict[str, str]] = {}
    for row in rows:
        name, _, metric = row.metric.partition("/")
        title = f"{metric}, {row.unit}" if row.unit != "1" else metric
        line = found.setdefault(name, {"": f"{row.family}/{row.model} seed {row.seed}"})
        line[title] = _measured([row.value])
    titles = list(dict.fromkeys(title for line in found.values() for title in line))
    header = ["", "model", *titles[1:]]
    return _table(
        header, [[name, *(line.get(t, "") for t in titles)] for name, line in found.items()]
    )


def _seeds(rows: Sequence[Row], family: str) -> str:
    """How many seeds a family's models have."""
    seeds: dict[str, set[int | str]] = defaultdict(set)
    for row in rows:
        if row.family == family and row.seed not in TOGETHER:
            seeds[row.model].add(row.seed)
    numbers = sorted({len(found) for found in seeds.values()})
    return "–".join(str(number) for number in dict.fromkeys((numbers[0], numbers[-1])))


def _measured(values: Sequence[float]) -> str:
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
        decimals = min(decimals, max(0, 1 - _magnitude(spread)))
        return f"{mean:.{decimals}f} ± {spread:.{decimals}f}"
    return f"{mean:.{decimals}f}"


def _interval(bounds: Sequence[Sequence[float]]) -> str:
    """The interval of one value; means over seeds have none."""
    low, high = bounds
    return f" ({low[0]:.2f}–{high[0]:.2f})" if len(low) == 1 == len(high) else ""


def _magnitude(value: float) -> int:
    """Power of ten of the first digit."""
    return math.floor(math.log10(abs(value))) if value else 0


def _table(header: list[str], lines: Iterable[list[str]]) -> str:
    """A Markdown table with its columns lined up."""
    cells = [header, *lines]
    widths = [max(len(line[column]) for line in cells) for column in range(len(header))]
    rule = ["-" * width for width in widths]
    return "".join(
        "| " + " | ".join(f"{cell:<{w}}" for cell, w in zip(line, widths, strict=True)) + " |\n"
        for line in [header, rule, *cells[1:]]
    )
