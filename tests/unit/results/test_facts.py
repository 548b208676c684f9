"""Facts of the report: families, comparisons, hours; places of curves, and figures' texts."""

import copy

import pytest

from mlipkd.campaign.campaign import Campaign
from mlipkd.evaluation import EVALUATIONS, FIGURES
from mlipkd.evaluation.core.rows import Row
from mlipkd.results.facts import change, comparison, families_of, hours
from mlipkd.results.tables import thinned
from tests.reported import CAMPAIGN, MODEL, Reported, rows


def test_students_are_compared_with_controls_of_their_shape() -> None:
    section = Campaign.model_validate(CAMPAIGN).datasets["metal"]
    (line,) = comparison(section, rows()).lines
    assert line[:6] == [
        *("forces_rmse, eV/Å", MODEL),
        *("students", "2.0 ± 1.4", "controls", "4.0 ± 1.0"),
    ]
    # Half of it; relative standard errors are (√2/√2)/2 and (1/√3)/4.
    assert line[6] == f"−50 ± {100 * 0.5 * (0.5**2 + 1 / 48) ** 0.5:.0f} %"


@pytest.mark.parametrize(
    ("values", "others", "wanted"),
    [([3.0], [2.0, 2.0], "+50 %"), ([2.0, 2.0], [2.0, 2.0], "+0 ± 0 %"), ([1.0], [0.0], "")],
)
def test_changes(values, others, wanted) -> None:
    assert change(values, others) == wanted


@pytest.mark.parametrize(
    ("probes", "wanted"),
    [
        ({"kind": "one_hot"}, "hvp (one-hot) × 2"),
        ({"kind": "rademacher", "fresh": False}, "hvp (rademacher, fixed) × 2"),
    ],
)
def test_families_that_differ_by_their_probes_are_told_apart(probes, wanted) -> None:
    campaign = copy.deepcopy(CAMPAIGN)
    term = {"quantity": "hvp", "labels": "reference", "weight": 2, "probes": probes}
    campaign["recipes"]["plain"]["loss"].append(term)
    found = families_of(Campaign.model_validate(campaign), "metal")
    assert found.lines[0][:3] == ["teachers", "plain", f"reference: forces × 1, {wanted}"]


def test_hours_are_those_of_the_benchmarks(tmp_path) -> None:
    found = hours(Reported(tmp_path).folder / "logs")
    assert found.lines == [
        ["train", "1", "1.000", "2.000", "2.0"],
        ["errors", "1", "0.500", "1.000", "0.0"],
        ["all", "2", "1.500", "3.000", "2.0"],
    ]


def test_curves_are_thinned_and_other_rows_are_not() -> None:
    def row(at: float | None) -> Row:
        return Row("metal", "students", MODEL, 0, "g", 1.0, "1", "", "epoch", at)

    curve = [row(number) for number in range(1, 101)]
    kept = thinned([*curve, row(None)])
    assert kept[0] == curve[0] and kept[-2:] == [curve[-1], row(None)]
    assert len(kept) == 11
    assert thinned([row(2.75), row(3.0)]) == [row(2.75), row(3.0)]


def test_every_figure_has_a_title_a_caption_and_one_evaluation() -> None:
    names = [figure.name for evaluation in EVALUATIONS.values() for figure in evaluation.figures]
    assert len(names) == len(set(names)) == len(FIGURES)
    assert all(figure.title and figure.caption.endswith(".") for figure in FIGURES.values())
