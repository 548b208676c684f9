"""Figures: what of a table stands in them."""

import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest

from mlipkd.errors import InputError
from mlipkd.evaluation import FIGURES
from mlipkd.evaluation.core.rows import ENSEMBLE, Row, write_rows

SMALL, LARGE = "n1-l0-a3-w8-s4", "n2-l1-a3-w8-s4"


def rows_of(metrics: dict[str | tuple[str, str], str], models: dict[str, list[str]]) -> list[Row]:
    """Two members and their ensemble of each model of each family, valued 1, 2 and 3."""
    return [
        Row("chno", family, model, seed, metric, value, unit, subset)
        for key, unit in metrics.items()
        for subset, metric in [("", key) if isinstance(key, str) else key]
        for family, names in models.items()
        for model in names
        for seed, value in ((0, 1.0), (1, 2.0), (ENSEMBLE, 3.0))
    ]


ONE_EACH = {"teachers": [SMALL], "students": [SMALL]}
SEVERAL = {"teachers": [LARGE], "students": [LARGE, SMALL], "controls": [LARGE, SMALL]}
ERRORS = {"energy_per_atom_rmse": "eV/atom", "energy_rmse": "eV", "forces_rmse": "eV/Å"}
COMP6 = {
    (subset, f"{subject}_rmse"): unit
    for subset in ("torsion", "all")
    for subject, unit in (("energy", "kcal/mol"), ("conformer_energy", "kcal/mol"))
}


def texts(axes) -> list[str]:
    return [label.get_text() for label in axes.get_xticklabels()]


def bars(figure, panel: int) -> dict[str, float]:
    """The lengths of all bars, by what stands to the left of the first panel."""
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    found = figure.axes[panel].patches
    return {names[round(bar.get_y() + bar.get_height() / 2)]: bar.get_width() for bar in found}


def test_errors_show_members_their_mean_and_the_ensemble() -> None:
    figure = FIGURES["errors"].of_dataset(rows_of(ERRORS, ONE_EACH), "chno")
    energy, forces = figure.axes
    assert forces.get_xlabel() == "F RMSE, eV/Å"
    assert energy.get_xlabel() == "E per atom RMSE, eV/atom"
    assert bars(figure, 1) == {"teachers": 1.5, "students": 1.5}
    members, ensemble, *_ = forces.lines
    assert list(members.get_xdata()) == [1.0, 2.0]
    assert list(ensemble.get_xdata()) == [3.0]


def test_total_energies_of_calculators_are_left_out() -> None:
    figure = FIGURES["errors"].of_dataset(
        rows_of(ERRORS, ONE_EACH | {"xtb": ["calculator"]}), "chno"
    )
    assert bars(figure, 0).keys() == {"teachers", "students"}
    assert bars(figure, 1).keys() == {"teachers", "students", "xtb"}


def test_models_are_named_where_a_family_has_several() -> None:
    figure = FIGURES["errors"].of_dataset(rows_of(ERRORS, SEVERAL), "chno")
    names = [f"{f} {m}" for f in ("students", "controls") for m in ("n2 l1", "n1 l0")]
    assert list(bars(figure, 0)) == ["teachers", *names]


def test_comp6_has_a_panel_for_each_subset_and_subject() -> None:
    figure = FIGURES["comp6"].of_dataset(rows_of(COMP6, ONE_EACH), "chno")
    assert [axes.get_title() for axes in figure.axes] == ["torsion", "all"] * 2
    assert [axes.get_xlabel() for axes in figure.axes[2:]] == [
        "ΔE RMSE, kcal/mol",
        "ΔE RMSE (all), kcal/mol",
    ]


def test_curvature_has_a_panel_for_each_kind_and_for_frequencies_of_the_test_split() -> None:
    units = {
        ("near", "energy_rmse"): "eV",
        **{(kind, "hessian_rmse"): "eV/Å^2" for kind in ("near", "far", "ts", "product")},
        ("saddles", "frequencies_mae"): "1/cm",
        ("trained saddles", "frequencies_mae"): "1/cm",
    }
    figure = FIGURES["curvature"].of_dataset(rows_of(units, ONE_EACH), "chno")
    drawn = [axes for axes in figure.axes if axes.axison]
    assert [axes.get_title() for axes in drawn] == ["near", "far", "ts", "product", "saddles"]
    assert [axes.get_xlabel() for axes in drawn[3:]] == ["H RMSE, eV/Å^2", "frequencies MAE, 1/cm"]
    assert len({axes.get_position().y0 for axes in drawn}) == 2  # lines


@pytest.mark.parametrize("metrics", [ERRORS, COMP6])
def test_capacity_compares_families_of_several_models(metrics) -> None:
    figure = FIGURES["capacity"].of_dataset(rows_of(metrics, SEVERAL), "chno")
    axes = figure.axes[0]
    assert texts(axes) == ["n1 l0", "n2 l1"]
    assert axes.get_legend_handles_labels()[1] == ["students", "controls"]


def test_a_family_has_one_colour_whoever_else_is_drawn() -> None:
    families = list(SEVERAL)
    grid = FIGURES["capacity"].of_dataset(rows_of(ERRORS, SEVERAL), "chno", families)
    alone = FIGURES["errors"].of_dataset(rows_of(ERRORS, {"students": [SMALL]}), "chno", families)
    again = FIGURES["errors"].of_dataset(rows_of(ERRORS, SEVERAL), "chno")
    drawn = grid.axes[0].containers[0][0].get_color()  # of the students
    assert drawn == alone.axes[0].lines[0].get_color() == again.axes[0].lines[2].get_color()
    assert drawn != again.axes[0].lines[0].get_color()


def test_a_dataset_without_rows() -> None:
    with pytest.raises(InputError, match="expected rows of the dataset 'al', got chno"):
        FIGURES["errors"].of_dataset(rows_of(ERRORS, ONE_EACH), "al")


def test_the_verb_writes_the_same_file_twice(tmp_path) -> None:
    write_rows(tmp_path / "errors.csv", rows_of(ERRORS, ONE_EACH), [])
    written = []
    for name in ("a.svg", "b.svg"):
        words = ["figure", "--kind", "errors", "--dataset", "chno"]
        words += ["--output", str(tmp_path / name), str(tmp_path / "errors.csv")]
        subprocess.run([sys.executable, "-m", "mlipkd", *words], check=True)
        written.append((tmp_path / name).read_text())
    assert ET.fromstring(written[0]).tag.endswith("svg")
    assert written[0] == written[1]
