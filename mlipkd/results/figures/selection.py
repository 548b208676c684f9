"""Selection: the rows that a figure is about."""

import re
from collections.abc import Iterable, Sequence

from mlipkd.evaluation.rows import Row


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
    told = [column for column in zip(*parts, strict=True) if len(set(column)) > 1]
    return [" ".join(names) for names in zip(*told, strict=True)]
