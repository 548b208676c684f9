"""Figures of distributions: which panels there are, and what is in them."""

import numpy as np
import pytest

from mlipkd.errors import InputError
from mlipkd.evaluation.core.curves import UNITS, Curve
from mlipkd.results.draw import draw


def curve(family: str, name: str, *values: float, model: str = "m", replica: int = 0) -> Curve:
    bin_unit, unit = UNITS[name.partition("/")[0]]
    return Curve("des", family, model, 0, replica, name, unit, 0.5, bin_unit, np.array(values))


def lines(axes) -> dict[str, list[float]]:
    return {line.get_label(): line.get_ydata().tolist() for line in axes.lines}


def test_a_panel_for_each_pair_with_means_and_the_reference() -> None:
    curves = [
        curve(family, f"rdf/{pair}", value, 1.0, replica=replica, model=model)
        for family, model in (("reference", "dataset"), ("students", "m"))
        for pair in ("a-a", "a-b", "b-b", "a-c")
        for replica, value in ((0, 1.0), (1, 2.0))
    ]
    figure = draw("pairs", curves, "des")
    assert [axes.get_title() for axes in figure.axes] == ["a-a", "a-b", "b-b", "a-c"]
    assert lines(figure.axes[1]) == {"students m": [1.5, 1.0], "reference": [1.5, 1.0]}
    assert figure.axes[1].lines[0].get_xdata().tolist() == [0.25, 0.75]
    assert figure.axes[1].lines[1].get_color() == "black"
    band = figure.axes[0].collections[0].get_paths()[0].get_extents().intervaly
    assert tuple(band) == pytest.approx((1.5 - 0.5**0.5, 1.5 + 0.5**0.5))


def test_angles_at_the_largest_cutoff() -> None:
    curves = [
        curve("students", f"adf/{triplet}/{cutoff}", value)
        for triplet in ("a-a-a", "a-a-b")
        for cutoff, value in (("6", 1.0), ("6.5", 2.0), ("10", 3.0))
    ]
    figure = draw("adf", curves, "des")
    assert [axes.get_title() for axes in figure.axes] == ["a-a-a", "a-a-b"]
    assert lines(figure.axes[0]) == {"students m": [3.0]}
    assert figure.axes[0].get_ylabel() == "p(θ), 1/degree (within 10 Å)"


def test_merge_distances_and_their_windows() -> None:
    curves = [
        curve("students", f"cdf/{name}", *values, replica=replica)
        for replica in (0, 1)
        for name, values in {
            "a": (1.0, 1.0), "a/window1": (0.0, 2.0), "a/window2": (2.0,), "b": (2.0,),
        }.items()
    ]  # fmt: skip
    whole_a, whole_b, windows_a, windows_b = draw("cdf", curves, "des").axes
    assert [axes.get_title() for axes in (whole_a, whole_b)] == ["a", "b"]
    assert lines(whole_b) == {"students m": [2.0]}
    assert [line.get_ydata().tolist() for line in windows_a.lines] == [[0, 2], [2]]
    assert len({line.get_color() for line in windows_a.lines}) == 2
    assert windows_a.get_title() == "students m, windows"
    assert not windows_b.lines


def test_the_ensemble_has_a_line_of_its_own() -> None:
    curves = [
        curve("teachers", name, value, replica=replica)._replace(seed=seed)
        for name in ("rdf/a-b", "cdf/a", "cdf/a/window1")
        for seed, value in ((0, 1.0), (1, 2.0), ("ensemble", 4.0))
        for replica in (0, 1)
    ]
    (pair,) = draw("pairs", curves, "des").axes
    assert lines(pair) == {"teachers m": [1.5], "teachers m ensemble": [4.0]}
    assert len({line.get_color() for line in pair.lines}) == 1
    assert len({line.get_linestyle() for line in pair.lines}) == 2
    whole, *windows = draw("cdf", curves, "des").axes
    assert lines(whole) == lines(pair)
    assert [[line.get_ydata().tolist() for line in axes.lines] for axes in windows] == [
        [[1.5]],
        [[4.0]],
    ]


def test_nothing_to_draw() -> None:
    with pytest.raises(InputError, match="expected curves of adf, got none"):
        draw("adf", [curve("students", "cdf/a", 1.0)], "des")
