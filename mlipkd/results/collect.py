"""Collect: the rows of many evaluations become one table."""

from collections.abc import Sequence
from pathlib import Path

from mlipkd.errors import InputError
from mlipkd.evaluation.core.rows import (
    ENSEMBLE,
    POOLED,
    Row,
    Source,
    read_notes,
    read_rows,
    write_rows,
)


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
        found, source = read_rows(path)
        for row in found:
            key = row._replace(value=0.0)
            if key in seen:
                raise InputError(
                    f"{path}: expected each metric once, got {row.metric} of {row.dataset}/"
                    f"{row.family}/{row.model} seed {row.seed} as in {seen[key]}; leave "
                    "one of the two out"
                )
            seen[key] = path
        rows += found
        sources.append(source)
        notes += [f"{path}: {note}" for note in read_notes(path)]

    order = {key: number for number, key in enumerate(dict.fromkeys(map(_key, rows)))}
    last: dict[int | str, int] = {ENSEMBLE: 1, POOLED: 2}
    rows.sort(key=lambda row: (order[_key(row)], last.get(row.seed, 0), row.seed))
    return write_rows(output, rows, sources, notes)


def _key(row: Row) -> tuple[str, str, str]:
    return row.dataset, row.family, row.model
