"""Radial distribution functions: whose are drawn, and their difference from the teachers'."""

import pytest
from typer.testing import CliRunner

from mlipkd.cli.main import app
from mlipkd.errors import InputError
from mlipkd.evaluation.core.rows import POOLED, Row, write_rows
from mlipkd.results.draw import draw

#: g(r) at two distances, of members whose first bin is 0.5 below and above it.
MODELS = {
    ("teachers", "d"): 2.0,
    ("students", "w4"): 3.0,
    ("students", "w8"): 2.5,
    ("students", "w12"): 2.4,
    ("students", "w16"): 2.3,
    ("controls", "w4"): 4.0,
}


def rows_of(models: dict[tuple[str, str], float]) -> list[Row]:
    return [
        row
        for (family, model), value in models.items()
        for seed, shift in ((0, -0.5), (1, 0.5), (POOLED, 90.0))
        for row in [
            Row("al", family, model, seed, "temperature", 1200.0, "K"),
            Row("al", family, model, seed, "g2.750", value + shift, "1"),
            Row("al", family, model, seed, "g10.250", 1.0, "1"),
        ]
    ]


def drawn(rows: list[Row], teacher: str = "teachers"):
    return draw("rdf", rows, "al", teacher=teacher)


def labels(figure) -> list[str]:
    return [line.get_label() for line in figure.axes[0].lines]


def test_means_of_members_and_the_difference_from_the_teachers() -> None:
    models = dict(list(MODELS.items())[:2])
    absolute, relative = drawn(rows_of(models)).axes
    assert absolute.lines[1].get_xydata().tolist() == [[2.75, 3], [10.25, 1]]
    assert relative.lines[0].get_ydata().tolist() == [0, 0]
    assert relative.lines[1].get_ydata().tolist() == [1, 0]
    assert relative.get_ylabel() == "Δg(r) from teachers"
    band = relative.collections[1].get_paths()[0].get_extents().intervaly
    assert (band[0], band[1]) == pytest.approx((0, 1 + 0.5**0.5))


def test_the_teachers_need_not_stand_first() -> None:
    controls_first = dict(reversed(MODELS.items()))
    figure = drawn(rows_of(controls_first))
    _, relative = figure.axes
    assert labels(figure)[0] == "teachers d"
    assert relative.lines[0].get_ydata().tolist() == [0, 0]
    assert relative.lines[1].get_ydata().tolist() == [2, 0]  # of the controls
    assert relative.get_ylabel() == "Δg(r) from teachers"


def test_without_teachers_there_are_no_differences() -> None:
    """All their liquids failed: the others' functions are drawn all the same."""
    students = {who: value for who, value in MODELS.items() if who[0] != "teachers"}
    absolute, relative = drawn(rows_of(dict(list(students.items())[:2]))).axes
    assert absolute.lines[0].get_ydata().tolist() == [3, 1]
    assert not relative.lines
    assert [text.get_text() for text in relative.texts] == ["no g(r) of teachers"]


def test_three_beside_the_teachers() -> None:
    few = {who: value for who, value in MODELS.items() if who[1] not in ("w12", "w16")}
    wanted = ["teachers d", "students w4", "students w8", "controls w4"]
    assert labels(drawn(rows_of(few))) == wanted
    wanted = ["teachers d", "students w4", "students w12", "students w16"]
    assert labels(drawn(rows_of(MODELS))) == wanted


def test_models_of_one_family_differ_by_the_kind_of_line() -> None:
    teachers, *students = drawn(rows_of(MODELS)).axes[0].lines
    assert len({line.get_color() for line in students}) == 1
    assert students[0].get_color() != teachers.get_color()
    assert len({line.get_linestyle() for line in students}) == 3


def test_the_recommended_are_drawn_instead() -> None:
    recommended = [
        Row("al", "students", model, 1, metric, 1.0, "1", name)
        for name, model in (("smallest", "w8"), ("fastest", "w16"), ("leanest", "w8"))
        for metric in ("weights", "time")
    ]
    recommended.insert(0, Row("al", "teachers", "d", 1, "weights", 9.0, "1", "teacher"))
    figure = drawn(rows_of(MODELS) + recommended)
    assert labels(figure) == ["teachers d", "students w8", "students w16"]


def test_nothing_to_draw() -> None:
    failed = [Row("al", "teachers", "d", 0, "weights", 9.0, "1", "teacher")]
    with pytest.raises(InputError, match="got none: all runs failed"):
        drawn(failed)


@pytest.mark.parametrize(
    ("kind", "teacher", "got"),
    [("rdf", [], "--kind rdf without it"), ("errors", ["--teacher", "x"], "--kind errors with it")],
)
def test_the_verb_wants_a_teacher_for_these_alone(tmp_path, kind, teacher, got) -> None:
    words = ["--kind", kind, "--dataset", "al", "--output", str(tmp_path / "f.svg"), "t.csv"]
    result = CliRunner().invoke(app, ["figure", *teacher, *words])
    assert isinstance(result.exception, InputError)
    assert got in str(result.exception)


def test_the_verb_draws_what_differs_from_the_teacher_named(tmp_path) -> None:
    write_rows(tmp_path / "rdf.csv", rows_of(MODELS), [])
    words = ["--kind", "rdf", "--teacher", "controls", "--dataset", "al"]
    words += ["--output", str(tmp_path / "f.svg"), str(tmp_path / "rdf.csv")]
    assert CliRunner().invoke(app, ["figure", *words]).exit_code == 0
    assert "from controls" in (tmp_path / "f.svg").read_text()
