"""Collecting rows into one table."""

import pytest

from mlipkd.errors import InputError
from mlipkd.evaluation.core.rows import Row, Source, read_notes, read_rows, write_rows
from mlipkd.jobs import artefacts
from mlipkd.results.tables import collect


def row(family: str, seed: int | str, value: float = 1.0, metric: str = "forces_rmse") -> Row:
    return Row("al", family, "n1", seed, metric, value, "eV/Å")


def test_rows_are_put_in_order(tmp_path) -> None:
    first, second, table = (tmp_path / name for name in ("a.csv", "b.csv", "table.csv"))
    write_rows(first, [row("students", s) for s in (10, "all", "ensemble", 9)], [])
    write_rows(
        second,
        [row("controls", 0), row("students", 2), row("controls", 0, metric="forces_mae")],
        [Source("m", "f" * 64, ["mlipkd 0.0.1, commit abc"])],
    )
    versions = collect([first, second], table)
    rows, source = read_rows(table)
    assert [(row.family, row.seed, row.metric) for row in rows] == [
        ("students", 2, "forces_rmse"),
        ("students", 9, "forces_rmse"),
        ("students", 10, "forces_rmse"),
        ("students", "ensemble", "forces_rmse"),
        ("students", "all", "forces_rmse"),
        ("controls", 0, "forces_rmse"),
        ("controls", 0, "forces_mae"),
    ]
    assert len(versions) == 2
    assert source.made_by == versions


def test_notes_come_with_the_file_that_has_them(tmp_path) -> None:
    write_rows(tmp_path / "a.csv", [row("students", 0)], [], ["one failed"])
    write_rows(tmp_path / "b.csv", [row("controls", 0)], [])
    collect([tmp_path / "a.csv", tmp_path / "b.csv"], tmp_path / "table.csv")
    assert read_notes(tmp_path / "table.csv") == [f"{tmp_path / 'a.csv'}: one failed"]


def test_the_same_metric_twice_is_refused(tmp_path) -> None:
    for name in ("a.csv", "b.csv"):
        write_rows(tmp_path / name, [row("students", 0, value=len(name))], [])
    with pytest.raises(InputError, match=r"b.csv: .*students/n1 seed 0 as in .*a.csv"):
        collect([tmp_path / "a.csv", tmp_path / "b.csv"], tmp_path / "table.csv")


@pytest.mark.parametrize(("before", "after"), [("1,eV", "nan,eV"), ("family", "familia")])
def test_nan_and_other_columns_are_refused(tmp_path, before, after) -> None:
    path = tmp_path / "a.csv"
    write_rows(path, [row("students", 0)], [])
    artefacts.write_text(path, path.read_text().replace(before, after))
    with pytest.raises(InputError, match="expected"):
        collect([path], tmp_path / "table.csv")
    assert not (tmp_path / "table.csv").exists()
