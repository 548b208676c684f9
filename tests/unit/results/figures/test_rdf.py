"""Radial distribution functions: whose are drawn, and their difference from the teachers'."""

import pytest

from mlipkd.errors import InputError
from mlipkd.evaluation.rows import POOLED, Row
from mlipkd.results.figures import draw

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


def labels(figure) -> list[str]:
    return [line.get_label() for line in figure.axes[0].lines]


def test_means_of_members_and_the_difference_from_the_teachers() -> None:
    models = dict(list(MODELS.items())[:2])
    absolute, relative = draw("rdf", rows_of(models), "al").axes
    assert absolute.lines[1].get_xydata().tolist() == [[2.75, 3], [10.25, 1]]
    assert relative.lines[0].get_ydata().tolist() == [0, 0]
    assert relative.lines[1].get_ydata().tolist() == [1, 0]
    assert relative.get_ylabel() == "Δg(r) from teachers"
    band = relative.collections[1].get_paths()[0].get_extents().intervaly
    assert (band[0], band[1]) == pytest.approx((0, 1 + 0.5**0.5))


def test_three_beside_the_teachers() -> None:
    few = {who: value for who, value in MODELS.items() if who[1] not in ("w12", "w16")}
    drawn = ["teachers d", "students w4", "students w8", "controls w4"]
    assert labels(draw("rdf", rows_of(few), "al")) == drawn
    drawn = ["teachers d", "students w4", "students w12", "students w16"]
    assert labels(draw("rdf", rows_of(MODELS), "al")) == drawn


def test_models_of_one_family_differ_by_the_kind_of_line() -> None:
    teachers, *students = draw("rdf", rows_of(MODELS), "al").axes[0].lines
    assert len({line.get_color() for line in students}) == 1
    assert students[0].get_color() != teachers.get_color()
    assert len({line.get_linestyle() for line in students}) == 3


def test_the_recommended_are_drawn_instead() -> None:
    recommended = [
        Row("al", "students", model, 1, f"{name}/{metric}", 1.0, "1")
        for name, model in (("smallest", "w8"), ("fastest", "w16"), ("leanest", "w8"))
        for metric in ("weights", "time")
    ]
    recommended.insert(0, Row("al", "teachers", "d", 1, "teacher/weights", 9.0, "1"))
    figure = draw("rdf", rows_of(MODELS) + recommended, "al")
    assert labels(figure) == ["teachers d", "students w8", "students w16"]


def test_nothing_to_draw() -> None:
    failed = [Row("al", "teachers", "d", 0, "teacher/weights", 9.0, "1")]
    with pytest.raises(InputError, match="got none: all runs failed"):
        draw("rdf", failed, "al")
