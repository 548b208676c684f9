"""Learning curves: which are drawn, and what of the members stands in them."""

import pytest

from mlipkd.evaluation import FIGURES
from mlipkd.evaluation.core.rows import Row

#: Number of weights; in the order of names e would stand before d.
SIZES = {"a": 1, "b": 2, "c": 3, "e": 5, "d": 7}
UNITS = {"forces": "eV/Å", "energy": "eV"}
GRID = {"teachers": ["d"], "students": list(SIZES), "controls": list(SIZES)}


def rows_of(families: dict[str, list[str]], quantities=("forces",)) -> list[Row]:
    """Members of two seeds, of which the second trains for one epoch more."""
    return [
        row
        for family, models in families.items()
        for model in models
        for seed in (0, 1)
        for row in [
            Row("al", family, model, seed, "weights", SIZES[model], "1"),
            *(
                Row(
                    *("al", family, model, seed, f"{quantity}_rmse", value, UNITS[quantity]),
                    *(split, "epoch", epoch),
                )
                for epoch in range(1, 3 + seed)
                for quantity in quantities
                for split, value in (("training", 10.0 + 2 * seed), ("validation", 4.0 + 2 * seed))
            ),
        ]
    ]


def test_the_smallest_the_middle_and_the_largest() -> None:
    figure = FIGURES["learning"].of_dataset(rows_of(GRID), "al")
    assert [axes.get_title() for axes in figure.axes] == ["a", "c", "d"]
    (legend,) = figure.legends
    # The teachers have one of the three alone.
    names = [text.get_text() for text in legend.get_texts()]
    assert names == ["students", "controls", "training", "validation"]


def test_lines_are_means_over_members_as_far_as_all_of_them_went() -> None:
    (axes,) = (
        FIGURES["learning"].of_dataset(rows_of({"students": ["a"], "controls": ["a"]}), "al").axes
    )
    training, validation, *others = axes.lines
    assert list(training.get_xdata()) == list(validation.get_xdata()) == [1, 2]
    assert list(training.get_ydata()) == [11.0, 11.0]
    assert list(validation.get_ydata()) == [5.0, 5.0]
    assert (training.get_linestyle(), validation.get_linestyle()) == ("--", "-")
    assert len(others) == 2
    below, above = axes.collections[1].get_paths()[0].get_extents().intervaly
    assert (below, above) == pytest.approx((5 - 2**0.5, 5 + 2**0.5))


def test_a_row_of_panels_for_each_quantity() -> None:
    rows = rows_of({"students": ["a"], "controls": ["a"]}, ("energy", "forces"))
    figure = FIGURES["learning"].of_dataset(rows, "al")
    assert [axes.get_ylabel() for axes in figure.axes] == ["F RMSE, eV/Å", "E RMSE, eV"]


def test_a_term_that_enters_later_has_a_shorter_curve() -> None:
    rows = rows_of({"students": ["a"], "controls": ["a"]})
    rows = [row for row in rows if (row.subset, row.at) != ("training", 1)]
    (axes,) = FIGURES["learning"].of_dataset(rows, "al").axes
    assert list(axes.lines[0].get_xdata()) == [2]
    assert list(axes.lines[1].get_xdata()) == [1, 2]


@pytest.mark.parametrize("silent", ["students", "controls"])
def test_families_without_errors_by_epoch_are_left_out(silent) -> None:
    """Those that learn from teachers' labels alone."""
    rows = rows_of({"teachers": ["a"], "students": ["a"], "controls": ["a"]})
    rows = [row for row in rows if row.family != silent or row.metric == "weights"]
    figure = FIGURES["learning"].of_dataset(rows, "al")
    kept = [family for family in ("teachers", "students", "controls") if family != silent]
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == [*kept, "training", "validation"]
    assert len(figure.axes[0].lines) == 4


def test_a_family_alone_is_drawn() -> None:
    (axes,) = FIGURES["learning"].of_dataset(rows_of({"teachers": ["a"]}), "al").axes
    assert len(axes.lines) == 2
