"""Rows: the one form in which every evaluation states its results.

A table is a concatenation of rows, a figure a selection of them. Next to each file of rows lies
``<name>.json``, which says what the rows are made from, which versions of mlipkd had a part in
them, and what was left out.
"""

import csv
import json
import math
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from mlipkd.errors import InputError
from mlipkd.jobs import artefacts, provenance

#: In place of a seed: the mean of the predictions of all members, and all runs of all members.
ENSEMBLE, POOLED = "ensemble", "all"
#: The subset that stands for all of them together.
ALL = "all"


class Row(NamedTuple):
    """One number: a metric of one member, of the ensemble of all members of a model, or of the runs
    of all members together.

    What qualifies the metric has its own columns, and is never part of the metric's name.
    """

    dataset: str
    family: str
    model: str
    seed: int | str
    """The member's seed, ``ensemble``, or ``all``."""
    metric: str
    value: float
    unit: str
    """Of the value; 1 if it has none."""
    subset: str = ""
    """The part of what is tested: a suite, a kind of configurations, a split, a distribution."""
    condition: str = ""
    """What was varied (epoch, distance, time step, atoms), if anything was."""
    at: float | None = None
    """The value of the condition."""
    at_unit: str = ""
    """Its unit, if it has one."""


class Source(NamedTuple):
    """An artefact that rows are made from, and the versions of mlipkd in its history."""

    file: str
    sha256: str
    made_by: list[str]


def rmse_and_mae(**units: str) -> dict[str, str]:
    """The metrics ``<quantity>_rmse`` and ``<quantity>_mae``, and their units, by quantity."""
    return {f"{quantity}_{e}": unit for quantity, unit in units.items() for e in ("rmse", "mae")}


def made_by(record: dict) -> str:
    """The version and commit that an artefact's provenance states."""
    return f"mlipkd {record['mlipkd']}, commit {record['commit']}"


def write_rows(
    path: Path, rows: Iterable[Row], sources: Iterable[Source], notes: Iterable[str] = ()
) -> list[str]:
    """Write rows as CSV, and next to them what they are made from and what one should know of them.

    Notes go to the standard error, too. Returns the versions of mlipkd that had a part in them.

    Raises:
        InputError: a value is not finite.
    """
    rows = list(rows)
    for row in rows:
        _refuse_not_finite(path, row)
    lines = (
        [
            f"{cell:.9g}" if isinstance(cell, float) else cell
            for cell in row._replace(value=float(row.value))
        ]
        for row in rows
    )
    return write_table(path, Row._fields, lines, sources, notes)


def write_table(
    path: Path,
    columns: Sequence[str],
    lines: Iterable[Sequence],
    sources: Iterable[Source],
    notes: Iterable[str],
) -> list[str]:
    """Write lines as CSV as ``write_rows`` does."""
    sources, notes, record = list(sources), list(notes), provenance.record()
    for note in notes:
        print(note, file=sys.stderr)
    versions = sorted({made_by(record)}.union(*(source.made_by for source in sources)))
    history = {
        "made_by": versions,
        "sources": [source._asdict() for source in sources],
        "notes": notes,
        "provenance": record,
    }
    artefacts.write_text(
        history_file(path), json.dumps(history, indent=1, ensure_ascii=False) + "\n"
    )
    with artefacts.writing(path) as temporary, open(temporary, "w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(columns)
        table.writerows(lines)
    return versions


def read_rows(path: Path) -> tuple[list[Row], Source]:
    """Read a file of rows, and what it says of itself.

    Raises:
        InputError: the file is damaged, its columns are others, or a value is not a finite number.
    """
    lines, source = read_table(path, Row._fields)
    return [_row(path, number, fields) for number, fields in enumerate(lines, start=2)], source


def read_table(path: Path, columns: Sequence[str]) -> tuple[list[list[str]], Source]:
    """Read the lines of a file that ``write_table`` wrote, and what it says of itself.

    Raises:
        InputError: the file is damaged, its columns are others, or a line has more or fewer.
    """
    digest = artefacts.verify(path)
    artefacts.verify(history_file(path))
    history = json.loads(history_file(path).read_text())
    with open(path, newline="") as file:
        header, *lines = list(csv.reader(file)) or [[]]
    if header != list(columns):
        raise InputError(
            f"{path}: expected the columns {','.join(columns)}, got {','.join(header)}; "
            "give a file that mlipkd evaluate wrote"
        )
    for number, fields in enumerate(lines, start=2):
        if len(fields) != len(columns):
            raise InputError(
                f"{path}: line {number}: expected {len(columns)} fields, got {len(fields)}; "
                "evaluate again"
            )
    return lines, Source(str(path), digest, history["made_by"])


def read_notes(path: Path) -> list[str]:
    """What one should know of a file of rows that was read.

    Raises:
        InputError: the file next to it is damaged.
    """
    artefacts.verify(history_file(path))
    return json.loads(history_file(path).read_text())["notes"]


def history_file(path: Path) -> Path:
    """The file with the history of a file of rows."""
    return path.with_name(path.name + ".json")


def _row(path: Path, number: int, fields: list[str]) -> Row:
    dataset, family, model, seed, metric, value, unit, subset, condition, at, at_unit = fields
    try:
        row = Row(
            dataset,
            family,
            model,
            seed if seed in (ENSEMBLE, POOLED) else int(seed),
            metric,
            float(value),
            unit,
            subset,
            condition,
            float(at) if at else None,
            at_unit,
        )
    except ValueError as error:
        raise InputError(f"{path}: line {number}: {error}; evaluate again") from None
    _refuse_not_finite(path, row)
    return row


def _refuse_not_finite(path: Path, row: Row) -> None:
    if not math.isfinite(row.value):
        raise InputError(
            f"{path}: expected finite values, got {row.value} as {row.metric} of {row.dataset}/"
            f"{row.family}/{row.model} seed {row.seed}; train that member again or remove it"
        )
