"""Summary: the tables at a glance, as Markdown that reads well in a terminal, too."""

from collections.abc import Sequence
from pathlib import Path

from mlipkd.evaluation import EVALUATIONS
from mlipkd.evaluation.core.grid import TOGETHER, Grid
from mlipkd.evaluation.core.rows import read_rows
from mlipkd.results.left_out import notes_of

INTRODUCTION = """\
# Summary

Members: mean ± standard deviation over seeds, whose number stands beside the family's name.
*Ensemble*: the mean of all members' predictions. *All*: the runs of all members together.
"""


def summary(tables: Sequence[Path], manifests: Sequence[Path] = ()) -> str:
    """One pivot table for each evaluation (a table's name) and dataset; models against families.

    Args:
        tables: that ``mlipkd collect`` wrote.
        manifests: that ``mlipkd merge`` wrote; whom these leave out, a note says.
    """
    parts, versions = [INTRODUCTION], set()
    parts += [f"Note: {note}.\n" for note in notes_of(manifests)]
    for path in tables:
        rows, source = read_rows(path)
        versions.update(source.made_by)
        for dataset in dict.fromkeys(row.dataset for row in rows):
            of_dataset = [row for row in rows if row.dataset == dataset]
            table = markdown(EVALUATIONS[path.stem].layout(of_dataset))
            parts.append(f"## {dataset}: {path.stem}\n\n{table}")
    made_by = made_by_line(sorted(versions))
    parts.append(f"**{made_by}**\n" if len(versions) > 1 else f"{made_by}\n")
    return "\n".join(parts)


def made_by_line(versions: Sequence[str]) -> str:
    """Who made the numbers; a warning if they are not of one version."""
    if len(versions) == 1:
        return f"Made by {versions[0]}."
    return (
        f"Warning: made by {len(versions)} versions ({'; '.join(versions)}). Numbers may not be "
        "comparable; run the campaign again to make all of them by one."
    )


def markdown(grid: Grid) -> str:
    """A Markdown table with its columns lined up."""
    lines = [[f"*{c}*" if c in TOGETHER else c for c in line] for line in grid.lines]
    widths = [max(map(len, column)) for column in zip(grid.header, *lines, strict=True)]
    rule = ["-" * width for width in widths]
    return "".join(
        "| " + " | ".join(f"{cell:<{w}}" for cell, w in zip(line, widths, strict=True)) + " |\n"
        for line in [grid.header, rule, *lines]
    )
