"""Rows: written and read again, and what is refused."""

import json

import pytest

from mlipkd.errors import InputError
from mlipkd.evaluation.core.rows import Row, Source, history_file, read_rows, write_rows
from mlipkd.jobs import artefacts

ROWS = [
    Row("al", "students", "n1", 3, "forces_rmse", 0.123456789012, "eV/Å"),
    Row("al", "students", "n1", "ensemble", "forces_rmse", 1e-7, "eV/Å"),
    Row("al", "students", "n1", "all", "failed", 0.25, "1", "", "timestep", 0.5, "fs"),
    Row("al", "students", "n1", 3, "weights", 154450, "1"),
]
SOURCES = [Source("model.safetensors", "f" * 64, ["mlipkd 0.0.1, commit abc"])]


def test_there_and_back(tmp_path) -> None:
    path = tmp_path / "errors.csv"
    versions = write_rows(path, ROWS, SOURCES, ["dynamics by ase"])
    assert path.read_text().splitlines()[:2] == [
        "dataset,family,model,seed,metric,value,unit,subset,condition,at,at_unit",
        "al,students,n1,3,forces_rmse,0.123456789,eV/Å,,,,",
    ]
    rows, source = read_rows(path)
    assert [row._replace(value=0) for row in rows] == [row._replace(value=0) for row in ROWS]
    assert [row.value for row in rows] == pytest.approx([row.value for row in ROWS], rel=1e-8)
    assert source.made_by == versions
    assert versions[0] == "mlipkd 0.0.1, commit abc"
    history = json.loads(history_file(path).read_text())
    assert history["sources"][0]["file"] == "model.safetensors"
    assert history["notes"] == ["dynamics by ase"]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_is_not_written(tmp_path, value) -> None:
    with pytest.raises(InputError, match="forces_rmse of al/students/n1 seed 3"):
        write_rows(tmp_path / "errors.csv", [ROWS[0]._replace(value=value)], [])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("0.123456789", "nan", "expected finite values, got nan"),
        ("metric,value", "value,metric", "expected the columns dataset,family"),
        ("1e-07", "a lot", "line 3: could not convert"),
        (",3,forces", ",third,forces", "line 2: invalid literal"),
        ("eV/Å,", "eV,Å,", "line 2: expected 11 fields, got 12"),
        ("0.123456789", "0.023456789", "expected SHA-256"),
    ],
)
def test_what_is_refused(tmp_path, before, after, message) -> None:
    path = tmp_path / "errors.csv"
    write_rows(path, ROWS, SOURCES)
    changed = path.read_text().replace(before, after)
    if "SHA" in message:
        path.write_text(changed)
    else:
        artefacts.write_text(path, changed)
    with pytest.raises(InputError, match=message):
        read_rows(path)


def test_an_empty_file_is_refused(tmp_path) -> None:
    path = tmp_path / "errors.csv"
    write_rows(path, ROWS, SOURCES)
    artefacts.write_text(path, "")
    with pytest.raises(InputError, match="expected the columns"):
        read_rows(path)
