"""Distributions of files of frames: whose they are, which there are, and how they are named. Their
figures: which panels there are, and what is in them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from mlipkd.datasets.dataset import Bead
from mlipkd.datasets.file import write
from mlipkd.errors import InputError
from mlipkd.evaluation import FIGURES
from mlipkd.evaluation.core.curves import UNITS, Curve, read_curves
from mlipkd.evaluation.deviations import evaluate_deviations
from mlipkd.evaluation.distributions import (
    AngularDistributions,
    ClusterDistributions,
    DistributionsEvaluation,
    RadialDistributions,
    evaluate_distributions,
)
from mlipkd.jobs import provenance
from mlipkd.testing import dataset_of

SETTINGS = DistributionsEvaluation.model_validate(
    {
        "rdf": {"cutoff": 5, "bin": 0.5},
        "adf": {"cutoffs": [3, 4.5], "bin": 5},
        "cdf": {"windows": 2},
    }
)
BEADS = (Bead("choline", 104.0), Bead("urea", 60.0))


@pytest.fixture
def frames(tmp_path):
    """A function that writes frames of a gas, of the reference or of a member."""

    def made(name: str, groups=(0, 0, 0), by: int | None = None, beads=BEADS, failed=None) -> Path:
        generator = np.random.default_rng(sum(map(ord, name)))
        numbers = np.repeat([1, 2], [20, 30])
        gas = [(numbers, generator.random((50, 3)) * 12, 12 * np.eye(3)) for _ in groups]
        told = provenance.record()
        if by is not None:
            told["sampled_by"] = {
                "family": "students", "model": "m", "seed": by, "mlipkd": "0.1", "commit": "c",
            }  # fmt: skip
            told["failed"] = failed
        dataset = dataset_of(gas, energy=np.zeros(len(groups)))
        path = tmp_path / f"{name}.h5"
        write(replace(dataset, groups=np.array(groups), beads=beads, provenance=told), path)
        return path

    return made


def test_all_distributions_of_beads(frames) -> None:
    curves, _, notes = evaluate_distributions([frames("reference", (0,) * 4)], SETTINGS)
    names = [curve.name for curve in curves if curve.replica == 0]
    assert names[:3] == ["rdf/choline-choline", "rdf/choline-urea", "rdf/urea-urea"]
    assert len([name for name in names if name.startswith("adf/")]) == 6 * 2
    assert "adf/choline-urea-choline/3" in names
    assert "adf/urea-choline-urea/4.5" in names
    assert names[-3:] == ["cdf/urea", "cdf/urea/window1", "cdf/urea/window2"]
    assert {curve[:5] for curve in curves} == {
        ("test", "reference", "dataset", 0, half) for half in (0, 1)
    }
    assert {curve.kind: (curve.bin, curve.bin_unit, curve.unit) for curve in curves} == {
        "rdf": (0.5, "Å", "1"), "adf": (5, "degree", "1/degree"), "cdf": (0.1, "Å", "1/Å"),
    }  # fmt: skip
    assert not notes


def test_groups_of_a_reference_are_parts_of_one_trajectory(frames) -> None:
    curves, *_ = evaluate_distributions([frames("reference", (0, 1, 2, 3))], SETTINGS)
    whole, *_ = evaluate_distributions([frames("reference", (0,) * 4)], SETTINGS)
    for one, other in zip(curves, whole, strict=True):
        np.testing.assert_array_equal(one.values, other.values)


def test_a_references_noise_is_how_far_its_halves_are_from_their_mean(frames) -> None:
    curves, *_ = evaluate_distributions([frames("reference", (0,) * 4)], SETTINGS)
    found = {(row.metric, row.subset): row.value for row in evaluate_deviations(curves, curves)}
    one, other = (curve.values for curve in curves if curve.name == "rdf/choline-urea")
    assert found["rdf_tae", "choline-urea"] == pytest.approx(abs(one - other).sum() / 2 * 0.5)
    assert not any(metric.endswith("noise") for metric, _ in found)


def test_elements_are_called_by_their_symbols(frames) -> None:
    curves, *_ = evaluate_distributions([frames("atoms", (0,) * 4, beads=())], SETTINGS)
    assert curves[1].name == "rdf/H-He"


def test_replicas_of_a_member_in_one_file_or_several(frames) -> None:
    paths = [
        frames("a", (0, 1, 0, 1), by=0), frames("b", (5, 5), by=0), frames("c", by=1),
    ]  # fmt: skip
    curves, sources, _ = evaluate_distributions(paths, SETTINGS)
    found = dict.fromkeys((curve.family, curve.seed, curve.replica) for curve in curves)
    assert list(found) == [("students", seed, r) for seed, r in ((0, 0), (0, 1), (0, 2), (1, 0))]
    assert "mlipkd 0.1, commit c" in sources[0].made_by
    metrics = {
        (row.seed, row.metric, row.subset)
        for row in evaluate_deviations(
            curves, evaluate_distributions([frames("reference", (0,) * 4)], SETTINGS)[0]
        )
    }
    assert (0, "cdf_tae_noise", "urea") in metrics
    assert (1, "cdf_tae_noise", "urea") not in metrics


def test_a_failed_run_has_a_note(frames) -> None:
    path = frames("a", by=7, failed="sampling")
    curves, sources, notes = evaluate_distributions([path], SETTINGS)
    assert curves == []
    assert notes == ["students/m seed 7: no distributions, its run failed in the sampling"]
    assert sources[0].file == str(path)


def test_more_windows_than_frames(frames) -> None:
    with pytest.raises(InputError, match="a frame for each of 2 windows, got 1 frames"):
        evaluate_distributions([frames("a", (0, 0, 1), by=0)], SETTINGS)


def test_the_verbs(frames, tmp_path, monkeypatch) -> None:
    from typer.testing import CliRunner

    from mlipkd.cli.main import app

    monkeypatch.chdir(tmp_path)
    Path("settings.yaml").write_text("distributions: {adf: {cutoffs: [4]}, rdf: {cutoff: 5}}")
    every = (0,) * 10
    for name, path in (("r", frames("r", every)), ("s", frames("s", every, by=0))):
        words = [
            "evaluate",
            "distributions",
            "--settings",
            "settings.yaml",
            "--output",
            f"{name}.csv",
        ]
        assert CliRunner().invoke(app, [*words, str(path)]).exit_code == 0
    assert len(read_curves(Path("s.csv"))[0]) == 3 + 6 + 2 * 6
    words = ["evaluate", "deviations", "--reference", "r.csv", "--output", "d.csv"]
    words += ["--distributions", "s.csv"]
    assert CliRunner().invoke(app, words).exit_code == 0
    lines = Path("d.csv").read_text().splitlines()
    assert len(lines) == 1 + 3 + (3 + 6 + 2)
    assert lines[1].startswith("test,students,m,0,rdf_tae,")
    curves = ["s.csv", "r.csv"]
    for kind, drawn in {
        "pairs": curves,
        "adf": curves,
        "cdf": curves,
        "deviations": ["d.csv"],
    }.items():
        words = ["figure", "--kind", kind, "--dataset", "test", "--output", f"{kind}.svg"]
        assert CliRunner().invoke(app, [*words, *drawn]).exit_code == 0
        assert "</svg>" in Path(f"{kind}.svg").read_text()


def curve(family, kind, species, *values, model="m", replica=0, cutoff=None, window=None) -> Curve:
    bin_unit, unit = UNITS[kind]
    return Curve(
        "des", family, model, 0, replica, kind, species, cutoff, window, unit, 0.5, bin_unit,
        np.array(values),
    )  # fmt: skip


def lines(axes) -> dict[str, list[float]]:
    return {line.get_label(): line.get_ydata().tolist() for line in axes.lines}


def test_a_panel_for_each_pair_with_means_and_the_reference() -> None:
    curves = [
        curve(family, "rdf", pair, value, 1.0, replica=replica, model=model)
        for family, model in (("reference", "dataset"), ("students", "m"))
        for pair in ("a-a", "a-b", "b-b", "a-c")
        for replica, value in ((0, 1.0), (1, 2.0))
    ]
    figure = FIGURES["pairs"].of_dataset(curves, "des")
    assert [axes.get_title() for axes in figure.axes] == ["a-a", "a-b", "b-b", "a-c"]
    assert lines(figure.axes[1]) == {"students m": [1.5, 1.0], "reference": [1.5, 1.0]}
    assert figure.axes[1].lines[0].get_xdata().tolist() == [0.25, 0.75]
    assert figure.axes[1].lines[1].get_color() == "black"
    band = figure.axes[0].collections[0].get_paths()[0].get_extents().intervaly
    assert tuple(band) == pytest.approx((1.5 - 0.5**0.5, 1.5 + 0.5**0.5))


def test_angles_at_the_largest_cutoff() -> None:
    curves = [
        curve("students", "adf", triplet, value, cutoff=cutoff)
        for triplet in ("a-a-a", "a-a-b")
        for cutoff, value in ((6, 1.0), (6.5, 2.0), (10, 3.0))
    ]
    figure = FIGURES["adf"].of_dataset(curves, "des")
    assert [axes.get_title() for axes in figure.axes] == ["a-a-a", "a-a-b"]
    assert lines(figure.axes[0]) == {"students m": [3.0]}
    assert figure.axes[0].get_ylabel() == "p(θ), 1/degree (within 10 Å)"


def test_merge_distances_and_their_windows() -> None:
    curves = [
        curve("students", "cdf", species, *values, replica=replica, window=window)
        for replica in (0, 1)
        for (species, window), values in {
            ("a", None): (1.0, 1.0), ("a", 1): (0.0, 2.0), ("a", 2): (2.0,), ("b", None): (2.0,),
        }.items()
    ]  # fmt: skip
    whole_a, whole_b, windows_a, windows_b = FIGURES["cdf"].of_dataset(curves, "des").axes
    assert [axes.get_title() for axes in (whole_a, whole_b)] == ["a", "b"]
    assert lines(whole_b) == {"students m": [2.0]}
    assert [line.get_ydata().tolist() for line in windows_a.lines] == [[0, 2], [2]]
    assert len({line.get_color() for line in windows_a.lines}) == 2
    assert windows_a.get_title() == "students m, windows"
    assert not windows_b.lines


def test_the_ensemble_has_a_line_of_its_own() -> None:
    curves = [
        curve("teachers", kind, "a", value, replica=replica, window=window)._replace(seed=seed)
        for kind, window in (("rdf", None), ("cdf", None), ("cdf", 1))
        for seed, value in ((0, 1.0), (1, 2.0), ("ensemble", 4.0))
        for replica in (0, 1)
    ]
    (pair,) = FIGURES["pairs"].of_dataset(curves, "des").axes
    assert lines(pair) == {"teachers m": [1.5], "teachers m ensemble": [4.0]}
    assert len({line.get_color() for line in pair.lines}) == 1
    assert len({line.get_linestyle() for line in pair.lines}) == 2
    whole, *windows = FIGURES["cdf"].of_dataset(curves, "des").axes
    assert lines(whole) == lines(pair)
    assert [[line.get_ydata().tolist() for line in axes.lines] for axes in windows] == [
        [[1.5]],
        [[4.0]],
    ]


def test_nothing_to_draw() -> None:
    with pytest.raises(InputError, match="expected curves of adf, got none"):
        FIGURES["adf"].of_dataset([curve("students", "cdf", "a", 1.0)], "des")


def test_bins_of_decimal_fractions_fit() -> None:
    assert RadialDistributions(cutoff=14.7, bin=0.07).bin == 0.07
    assert AngularDistributions(cutoffs=[6.0], bin=0.3).bin == 0.3


def test_cutoffs_of_neighbours_are_the_campaigns() -> None:
    with pytest.raises(ValidationError, match=r"adf\s*Field required"):
        DistributionsEvaluation.model_validate({})


@pytest.mark.parametrize(
    ("section", "values", "message"),
    [
        (
            RadialDistributions,
            {"cutoff": 10, "bin": 0.3},
            "expected a cutoff that is a whole number",
        ),
        (RadialDistributions, {"cutoff": 0.05, "bin": 0.1}, "a whole number of bins, got 0.05 Å"),
        (RadialDistributions, {"bin": 0.001}, "greater than or equal to 0.01"),
        (AngularDistributions, {"cutoffs": []}, "at least 1 item"),
        (AngularDistributions, {"cutoffs": [6, 5]}, "expected numbers that ascend"),
        (AngularDistributions, {"cutoffs": [6, 6.0]}, "expected numbers that ascend"),
        (AngularDistributions, {"cutoffs": [6], "bin": 7}, "of which 180° are a whole number"),
        (AngularDistributions, {"cutoffs": [6], "bin": 0.01}, "greater than or equal to 0.1"),
        (ClusterDistributions, {"windows": 0}, "greater than 0"),
    ],
)
def test_what_sections_refuse(section, values, message) -> None:
    with pytest.raises(ValidationError, match=message):
        section(**values)
