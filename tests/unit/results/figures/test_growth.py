"""Costs against the number of atoms: one line for all that cost the same."""

from mlipkd.evaluation.core.rows import Row
from mlipkd.results.figures import draw

#: Number of weights, on which the cost depends; in the order of names e would stand before d.
SIZES = {"a": 1, "b": 2, "c": 3, "e": 5, "d": 7}


def rows_of(families: dict[str, list[str]], dearer: dict[str, float] | None = None) -> list[Row]:
    return [
        Row("al", family, model, 0, metric, value * (dearer or {}).get(family, 1), unit)
        for family, models in families.items()
        for model in models
        for metric, value, unit in (
            ("weights", SIZES[model], "1"),
            ("time", 99.0, "µs/atom/step"),
            *((f"atoms{n}/time", 10.0 * SIZES[model], "µs/atom/step") for n in (1000, 200)),
            *((f"atoms{n}/memory", SIZES[model] + 5.0, "kB/atom") for n in (1000, 200)),
        )
    ]


def labels(figure) -> list[str]:
    return [line.get_label() for line in figure.axes[0].lines]


def test_time_and_memory_against_the_number_of_atoms() -> None:
    time, memory = draw("growth", rows_of({"students": ["b"]}), "al").axes
    assert (time.get_ylabel(), memory.get_ylabel()) == ("time, µs/atom/step", "memory, kB/atom")
    assert time.lines[0].get_xydata().tolist() == [[200, 20], [1000, 20]]
    assert memory.lines[0].get_xydata().tolist() == [[200, 7], [1000, 7]]
    for axes in (time, memory):
        assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")


def test_one_line_for_an_architecture_three_for_a_family() -> None:
    families = {"teachers": ["d"], "students": list(SIZES), "controls": list(SIZES)}
    figure = draw("growth", rows_of(families), "al")
    assert labels(figure) == ["teachers d", "students a", "students c"]


def test_a_family_of_other_cost_has_a_line_of_its_own() -> None:
    rows = rows_of({"students": ["a"], "controls": ["a"]}, dearer={"controls": 2})
    assert labels(draw("growth", rows, "al")) == ["students a", "controls a"]
