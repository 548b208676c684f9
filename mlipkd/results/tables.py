"""Tables: the rows of many evaluations, put together, and at a glance.

Evaluations ask all members that there are. ``mlipkd merge`` compares them first, and its manifest
says which of them have no part in the labels that students learn from, though they have one in the
rows of their ensemble.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from mlipkd.errors import InputError
from mlipkd.evaluation import EVALUATIONS
from mlipkd.evaluation.core.grid import TOGETHER, Grid
from mlipkd.evaluation.core.rows import (
    ENSEMBLE,
    POOLED,
    Row,
    Source,
    history_file,
    read_notes,
    read_rows,
    write_rows,
)
from mlipkd.jobs import artefacts

INTRODUCTION = """\
# Summary

Members: mean ± standard deviation over seeds, whose number stands next to the family's name.
*Ensemble*: the mean of all members' predictions. *All*: the runs of all members together.
"""
#: Of a curve, as many places as a person reads.
PLACES = 10


@dataclass(frozen=True)
class Table:
    """A table as it was read."""

    path: Path
    rows: list[Row]
    source: Source
    notes: list[str]
    made_from: list[dict]
    """The sources of its rows: file and sha256."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """A table that ``collect`` wrote.

        Raises:
            InputError: it is damaged, or is called like no evaluation.
        """
        if path.stem not in EVALUATIONS:
            raise InputError(
                f"{path}: expected the table of an evaluation ({', '.join(EVALUATIONS)}), which "
                "gives it its name; give one of these"
            )
        rows, source = read_rows(path)
        made_from = json.loads(history_file(path).read_text())["sources"]
        return cls(path, rows, source, read_notes(path), made_from)

    @property
    def name(self) -> str:
        """The evaluation's."""
        return self.path.stem

    @property
    def datasets(self) -> list[str]:
        """Those that it has rows of."""
        return list(dict.fromkeys(row.dataset for row in self.rows))

    def grid(self, dataset: str) -> Grid:
        """Its rows of a dataset as a person reads them, curves at a few places."""
        evaluation = EVALUATIONS[self.name]
        rows = [row for row in self.rows if row.dataset == dataset]
        return evaluation.layout(thinned(rows) if evaluation.curves else rows)


def thinned(rows: Sequence[Row]) -> list[Row]:
    """The rows at ten places at most, evenly chosen, with the first and the last."""
    places = sorted({row.at for row in rows if row.at is not None})
    chosen = np.linspace(0, len(places) - 1, PLACES).round().astype(int).tolist()
    shown = {places[number] for number in chosen} if places else set()
    return [row for row in rows if row.at is None or row.at in shown]


def collect(paths: Sequence[Path], output: Path) -> list[str]:
    """Write the rows of all files as one table, members by seed, then their ensemble, then all runs
    together.

    Datasets, families and models keep the order in which the files name them first; notes come
    with the file that has them. Returns the versions of mlipkd that had a part in the rows.

    Raises:
        InputError: a file is damaged, has other columns or values that are not finite, or two rows
            state the same metric of the same member.
    """
    rows: list[Row] = []
    sources: list[Source] = []
    notes: list[str] = []
    seen: dict[Row, Path] = {}
    for path in paths:
        of_file, source = read_rows(path)
        for row in of_file:
            key = row._replace(value=0.0)
            if key in seen:
                raise InputError(
                    f"{path}: expected each metric once, got {row.metric} of {row.dataset}/"
                    f"{row.family}/{row.model} seed {row.seed} as in {seen[key]}; leave "
                    "one of the two out"
                )
            seen[key] = path
        rows += of_file
        sources.append(source)
        notes += [f"{path}: {note}" for note in read_notes(path)]

    order = {key: number for number, key in enumerate(dict.fromkeys(map(_key, rows)))}
    last: dict[int | str, int] = {ENSEMBLE: 1, POOLED: 2}
    rows.sort(key=lambda row: (order[_key(row)], last.get(row.seed, 0), row.seed))
    return write_rows(output, rows, sources, notes)


def _key(row: Row) -> tuple[str, str, str]:
    return row.dataset, row.family, row.model


def left_out(manifests: Iterable[Path]) -> Iterator[str]:
    """Notes for the reader of the rows: whom ``mlipkd merge`` left out, and why.

    Raises:
        InputError: a manifest is damaged.
    """
    for path in manifests:
        artefacts.verify(path)
        manifest = json.loads(path.read_text())
        who = f"{manifest['dataset']}: {manifest['family']}/{manifest['model']}"
        for member in manifest["members"]:
            if not member["kept"]:
                yield (
                    f"{who} seed {member['seed']}: left out of what students learn "
                    f"({'; '.join(member['left_out_because'])}); the row ensemble holds it"
                )


def summary(tables: Sequence[Path], manifests: Sequence[Path] = ()) -> str:
    """The tables of all datasets, in Markdown that reads well in a terminal, too.

    Args:
        tables: that ``collect`` wrote.
        manifests: that ``mlipkd merge`` wrote; whom these leave out, a note says.
    """
    parts, versions = [INTRODUCTION], set()
    parts += [f"Note: {note}.\n" for note in left_out(manifests)]
    for path in tables:
        table = Table.read(path)
        versions.update(table.source.made_by)
        parts += [f"## {d}: {table.name}\n\n{markdown(table.grid(d))}" for d in table.datasets]
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
    model = grid.header.index("model") if "model" in grid.header else None
    lines = [
        [f"*{c}*" if n == model and c in TOGETHER else c for n, c in enumerate(line)]
        for line in grid.lines
    ]
    widths = [max(map(len, column)) for column in zip(grid.header, *lines, strict=True)]
    rule = ["-" * width for width in widths]
    return "".join(
        "| " + " | ".join(f"{cell:<{w}}" for cell, w in zip(line, widths, strict=True)) + " |\n"
        for line in [grid.header, rule, *lines]
    )
