"""Errors against costs: what is drawn against what, and who is on the front. Costs against the
number of atoms: one line for all that cost the same."""

import pytest
from matplotlib.colors import to_hex

from mlipkd.evaluation import FIGURES
from mlipkd.evaluation.core.rows import Row
from mlipkd.evaluation.cost.figures import front

UNITS = {"time": "µs/atom/step", "memory": "kB/atom", "weights": "1", "forces_rmse": "eV/Å"}
#: Cost and error of each model. Of the students, b is beaten by a; controls by students.
MODELS = {
    ("teachers", "d"): (9.0, 1.0),
    ("students", "a"): (2.0, 3.0),
    ("students", "b"): (4.0, 4.0),
    ("students", "c"): (6.0, 2.0),
    ("controls", "a"): (2.0, 5.0),
    ("controls", "c"): (6.0, 2.5),
}


def rows_of(*errors: str) -> list[Row]:
    """Two members of each model, whose errors are 0.5 below and above the mean."""
    rows = []
    for (family, model), (cost, error) in MODELS.items():
        for seed, shift in ((0, -0.5), (1, 0.5)):
            rows += [
                Row("al", family, model, seed, metric, error + shift, UNITS.get(metric, "Å"))
                for metric in errors
            ]
        rows += [
            Row("al", family, model, 0, metric, cost, UNITS[metric])
            for metric in ("time", "memory", "weights")
        ]
    return rows


def test_the_front() -> None:
    assert front([(2, 2), (1, 3), (3, 2), (1, 4), (2, 3)]) == [(1, 3), (2, 2)]
    assert front([(1, 1), (1, 1)]) == [(1, 1)]
    assert front([]) == []


def test_pareto_is_error_against_time_and_memory() -> None:
    figure = FIGURES["pareto"].of_dataset(rows_of("forces_rmse"), "al")
    labels = ["time, µs/atom/step", "memory, kB/atom"]
    assert [axes.get_xlabel() for axes in figure.axes] == labels
    assert {axes.get_ylabel() for axes in figure.axes} == {"F RMSE, eV/Å"}


def test_lines_are_fronts_and_what_no_other_beats_is_filled() -> None:
    axes, _ = FIGURES["pareto"].of_dataset(rows_of("forces_rmse"), "al").axes
    lines = [list(line.get_xydata().ravel()) for line in axes.lines if len(line.get_xdata()) > 1]
    assert lines == [[2, 3, 6, 2], [2, 5, 6, 2.5]]
    markers = [container[0] for container in axes.containers]
    filled = {
        tuple(marker.get_xydata()[0]) for marker in markers if to_hex(marker.get_mfc()) != "#ffffff"
    }
    assert filled == {(9, 1), (2, 3), (6, 2)}
    assert len(markers) == len(MODELS)


def test_bars_are_standard_deviations() -> None:
    axes, _ = FIGURES["pareto"].of_dataset(rows_of("forces_rmse"), "al").axes
    _, _, (bar,) = axes.containers[0]
    assert bar.get_segments()[0][:, 1] == pytest.approx([1 - 0.5**0.5, 1 + 0.5**0.5])


def test_weights_has_a_panel_for_each_error_that_is_known() -> None:
    figure = FIGURES["weights"].of_dataset(rows_of("forces_rmse", "tae"), "al")
    assert [axes.get_ylabel() for axes in figure.axes] == ["F RMSE, eV/Å", "g(r) TAE, Å"]
    assert {axes.get_xlabel() for axes in figure.axes} == {"number of weights"}
    (axes,) = FIGURES["weights"].of_dataset(rows_of("forces_rmse"), "al").axes
    assert axes.get_xscale() == "log"


def test_a_model_without_a_cost_is_left_out() -> None:
    rows = [row for row in rows_of("forces_rmse") if (row.metric, row.model) != ("time", "d")]
    time, memory = FIGURES["pareto"].of_dataset(rows, "al").axes
    assert len(time.containers) == len(memory.containers) - 1


def test_costs_that_differ_little_begin_at_zero() -> None:
    rows = [row for row in rows_of("forces_rmse") if row.model in ("c", "d")]
    time, _ = FIGURES["pareto"].of_dataset(rows, "al").axes
    assert time.get_xscale() == "linear"
    assert time.get_xlim()[0] == 0


def test_costs_of_other_models_than_the_errors_leave_the_panel_empty() -> None:
    rows = [row for row in rows_of("forces_rmse") if row.metric == "forces_rmse"]
    rows += [Row("al", "controls", "x", 0, cost, 1.0, UNITS[cost]) for cost in ("time", "memory")]
    time, memory = FIGURES["pareto"].of_dataset(rows, "al").axes
    assert not time.containers and not memory.containers


#: Number of weights, on which the cost depends; in the order of names e would stand before d.
SIZES = {"a": 1, "b": 2, "c": 3, "e": 5, "d": 7}


def growth_rows(
    families: dict[str, list[str]], dearer: dict[str, float] | None = None
) -> list[Row]:
    return [
        Row("al", family, model, 0, metric, value * (dearer or {}).get(family, 1), unit, at=atoms)
        for family, models in families.items()
        for model in models
        for metric, value, unit, atoms in (
            ("weights", SIZES[model], "1", None),
            ("time", 99.0, "µs/atom/step", None),
            *(("time", 10.0 * SIZES[model], "µs/atom/step", n) for n in (1000, 200)),
            *(("memory", SIZES[model] + 5.0, "kB/atom", n) for n in (1000, 200)),
        )
    ]


def labels(figure) -> list[str]:
    return [line.get_label() for line in figure.axes[0].lines]


def test_time_and_memory_against_the_number_of_atoms() -> None:
    time, memory = FIGURES["growth"].of_dataset(growth_rows({"students": ["b"]}), "al").axes
    assert (time.get_ylabel(), memory.get_ylabel()) == ("time, µs/atom/step", "memory, kB/atom")
    assert time.lines[0].get_xydata().tolist() == [[200, 20], [1000, 20]]
    assert memory.lines[0].get_xydata().tolist() == [[200, 7], [1000, 7]]
    for axes in (time, memory):
        assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")


def test_one_line_for_an_architecture_three_for_a_family() -> None:
    families = {"teachers": ["d"], "students": list(SIZES), "controls": list(SIZES)}
    figure = FIGURES["growth"].of_dataset(growth_rows(families), "al")
    assert labels(figure) == ["teachers d", "students a", "students c"]


def test_a_family_of_other_cost_has_a_line_of_its_own() -> None:
    rows = growth_rows({"students": ["a"], "controls": ["a"]}, dearer={"controls": 2})
    assert labels(FIGURES["growth"].of_dataset(rows, "al")) == ["students a", "controls a"]
