"""g(r) of systems whose g(r) is known without the code; how far two are apart: by hand, from four
bins; and whose are drawn, with their difference from the teachers'."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from typer.testing import CliRunner

from mlipkd.cli.main import app
from mlipkd.datasets.dataset import UNUSED, Dataset, offsets_from
from mlipkd.datasets.file import DatasetFile, write
from mlipkd.errors import InputError
from mlipkd.evaluation import FIGURES
from mlipkd.evaluation.core.rows import POOLED, Row, write_rows
from mlipkd.evaluation.rdf import (
    RdfEvaluation,
    evaluate_rdf,
    evaluate_structure,
    radial_distribution,
)
from mlipkd.jobs import provenance


@pytest.fixture
def trajectory(tmp_path):
    """A function that writes frames as those of a member's liquid and opens them."""

    def made(frames: list[Atoms], seed: int = 0, failed: str | None = None) -> DatasetFile:
        by = {"family": "students", "model": "m", "seed": seed, "mlipkd": "0.1", "commit": "c"}
        size = len(frames[0])
        path = tmp_path / f"{seed}.h5"
        write(
            Dataset(
                name="al",
                species=np.concatenate([frame.numbers for frame in frames]).astype(np.uint8),
                positions=np.concatenate([frame.positions for frame in frames]),
                offsets=offsets_from(np.full(len(frames), size)),
                cells=np.array([frame.cell.array for frame in frames]),
                periodic=np.ones((len(frames), 3), bool),
                groups=np.zeros(len(frames), np.int64),
                splits=np.full(len(frames), UNUSED, np.uint8),
                labels={"reference": {"energy": np.zeros(len(frames))}},
                provenance=provenance.record(sampled_by=by, failed=failed),
            ),
            path,
        )
        return DatasetFile(path)

    return made


def gas(seed: int) -> Atoms:
    positions = np.random.default_rng(seed).random((600, 3)) * 20
    return Atoms("Al600", positions, cell=[20, 20, 20], pbc=True)


def test_ideal_gas(trajectory) -> None:
    g = np.array(list(radial_distribution(trajectory([gas(0), gas(1)]), 10, 0.5).values()))
    # Some 10,000 pairs in the outer shells: 1 % of noise.
    np.testing.assert_allclose(g[10:], 1, atol=0.04)
    assert g.mean() == pytest.approx(1, abs=0.05)


def test_shells_of_a_crystal(trajectory) -> None:
    """12, 6, 24 neighbours at a/√2, a, a√(3/2), and none in between."""
    crystal = bulk("Al", cubic=True) * (4, 4, 4)
    width, a = 0.1, 4.05
    found = radial_distribution(trajectory([crystal]), 5.0, width)
    r, g = np.array(list(found)), np.array(list(found.values()))
    shells = 4 / 3 * np.pi * ((r + width / 2) ** 3 - (r - width / 2) ** 3)
    neighbours = g * shells * (len(crystal) - 1) / crystal.get_volume()
    full = np.flatnonzero(neighbours)
    np.testing.assert_allclose(neighbours[full], [12, 6, 24])
    np.testing.assert_allclose(r[full], [a / 2**0.5, a, a * 1.5**0.5], atol=width / 2)


def test_a_triclinic_cell_is_the_same_crystal(trajectory) -> None:
    cubic = radial_distribution(trajectory([bulk("Al", cubic=True) * (3, 3, 3)]), 4.5, 0.1)
    primitive = bulk("Al") * (5, 5, 5)
    found = radial_distribution(trajectory([primitive]), 4.5, 0.1)
    # g stands over N - 1 atoms.
    np.testing.assert_allclose(
        np.array([*found.values()]) * 124 / 125, np.array([*cubic.values()]) * 107 / 108
    )


def test_cutoff_beyond_half_of_the_box(trajectory) -> None:
    with pytest.raises(InputError, match=r"at most half of the box, 10.00 Å, got 10.5"):
        radial_distribution(trajectory([gas(0)]), 10.5, 0.1)


def test_rows_of_a_member(trajectory) -> None:
    frames = trajectory([gas(0)], seed=3)
    rows, notes, source = evaluate_rdf(frames, RdfEvaluation(teacher="t", cutoff=5, bin=0.5))
    assert [(row.metric, row.condition, row.at_unit) for row in rows] == 10 * [
        ("g", "distance", "Å")
    ]
    assert [row.at for row in rows] == pytest.approx([0.25 + 0.5 * n for n in range(10)])
    assert {row[:4] for row in rows} == {("al", "students", "m", 3)}
    assert not notes
    assert source.sha256 == frames.sha256
    assert "mlipkd 0.1, commit c" in source.made_by


def test_a_failed_run_has_no_rows_but_a_note(trajectory) -> None:
    frames = trajectory([gas(0)], seed=3, failed="melting")
    rows, notes, _ = evaluate_rdf(frames, RdfEvaluation(teacher="t"))
    assert rows == []
    assert notes == ["students/m seed 3: no g(r), its run failed in the melting"]


def curve(family: str, seed: int, *values: float, width: float = 0.5) -> list[Row]:
    points = ((width * (number + 0.5), g) for number, g in enumerate(values))
    return [Row("al", family, "m", seed, "g", g, "1", at=r) for r, g in points]


def test_distance_from_the_teachers_mean() -> None:
    teachers = [*curve("teachers", 0, 0, 2, 1, 1), *curve("teachers", 1, 0, 4, 1, 1)]
    found = evaluate_structure(curve("students", 5, 0, 2, 2, 0.5), teachers)
    values = {row.metric: (row.value, row.unit) for row in found}
    assert values["tae"] == (pytest.approx((1 + 1 + 0.5) * 0.5), "Å")
    assert values["peak"] == (0.75, "Å")
    assert values["tail"] == (pytest.approx((1 + 0.5) / 2), "1")


def test_a_teacher_is_measured_by_the_others() -> None:
    teachers = [*curve("teachers", 0, 0, 2, 1, 1), *curve("teachers", 1, 0, 4, 1, 1)]
    found = evaluate_structure(teachers, teachers)
    assert [row.value for row in found if row.metric == "tae"] == [1.0, 1.0]


def test_a_single_teacher_has_none_to_be_measured_by() -> None:
    teacher = curve("teachers", 0, 0, 2, 1, 1)
    assert "tae" not in {row.metric for row in evaluate_structure(teacher, teacher)}


def test_another_run_of_the_same_member_is_compared() -> None:
    once, again = curve("teachers", 0, 0, 2, 1, 1), curve("teachers", 0, 0, 3, 1, 1)
    (tae,) = (row.value for row in evaluate_structure(once, again) if row.metric == "tae")
    assert tae == 0.5


@pytest.mark.parametrize(
    ("values", "width", "bins"),
    [((0, 2, 2, 1), 1.0, "4 bins from 0.5 to 3.5 Å"), ((0, 2, 1), 0.5, "3 bins from 0.25 to 1.25")],
)
def test_other_bins_are_refused(values, width, bins) -> None:
    teachers = curve("teachers", 0, 0, 2, 1, 1)
    with pytest.raises(InputError, match=f"has 4 bins from 0.25 to 1.75 Å, but .* has {bins}"):
        evaluate_structure(curve("students", 0, *values, width=width), teachers)


#: g(r) at two distances, of members whose first bin is 0.5 below and above it.
MODELS = {
    ("teachers", "d"): 2.0,
    ("students", "w4"): 3.0,
    ("students", "w8"): 2.5,
    ("students", "w12"): 2.4,
    ("students", "w16"): 2.3,
    ("controls", "w4"): 4.0,
}


def drawn_rows(models: dict[tuple[str, str], float]) -> list[Row]:
    return [
        row
        for (family, model), value in models.items()
        for seed, shift in ((0, -0.5), (1, 0.5), (POOLED, 90.0))
        for row in [
            Row("al", family, model, seed, "temperature", 1200.0, "K"),
            Row("al", family, model, seed, "g", value + shift, "1", at=2.75),
            Row("al", family, model, seed, "g", 1.0, "1", at=10.25),
        ]
    ]


def drawn(rows: list[Row], teacher: str = "teachers"):
    return FIGURES["rdf"].of_dataset(rows, "al", teacher=teacher)


def labels(figure) -> list[str]:
    return [line.get_label() for line in figure.axes[0].lines]


def test_means_of_members_and_the_difference_from_the_teachers() -> None:
    models = dict(list(MODELS.items())[:2])
    absolute, relative = drawn(drawn_rows(models)).axes
    assert absolute.lines[1].get_xydata().tolist() == [[2.75, 3], [10.25, 1]]
    assert relative.lines[0].get_ydata().tolist() == [0, 0]
    assert relative.lines[1].get_ydata().tolist() == [1, 0]
    assert relative.get_ylabel() == "Δg(r) from teachers"
    band = relative.collections[1].get_paths()[0].get_extents().intervaly
    assert (band[0], band[1]) == pytest.approx((0, 1 + 0.5**0.5))


def test_the_teachers_need_not_stand_first() -> None:
    controls_first = dict(reversed(MODELS.items()))
    figure = drawn(drawn_rows(controls_first))
    _, relative = figure.axes
    assert labels(figure)[0] == "teachers d"
    assert relative.lines[0].get_ydata().tolist() == [0, 0]
    assert relative.lines[1].get_ydata().tolist() == [2, 0]  # of the controls
    assert relative.get_ylabel() == "Δg(r) from teachers"


def test_without_teachers_there_are_no_differences() -> None:
    """All their liquids failed: the others' functions are drawn all the same."""
    students = {who: value for who, value in MODELS.items() if who[0] != "teachers"}
    absolute, relative = drawn(drawn_rows(dict(list(students.items())[:2]))).axes
    assert absolute.lines[0].get_ydata().tolist() == [3, 1]
    assert not relative.lines
    assert [text.get_text() for text in relative.texts] == ["no g(r) of teachers"]


def test_three_beside_the_teachers() -> None:
    few = {who: value for who, value in MODELS.items() if who[1] not in ("w12", "w16")}
    wanted = ["teachers d", "students w4", "students w8", "controls w4"]
    assert labels(drawn(drawn_rows(few))) == wanted
    wanted = ["teachers d", "students w4", "students w12", "students w16"]
    assert labels(drawn(drawn_rows(MODELS))) == wanted


def test_models_of_one_family_differ_by_the_kind_of_line() -> None:
    teachers, *students = drawn(drawn_rows(MODELS)).axes[0].lines
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
    figure = drawn(drawn_rows(MODELS) + recommended)
    assert labels(figure) == ["teachers d", "students w8", "students w16"]


def test_nothing_to_draw() -> None:
    failed = [Row("al", "teachers", "d", 0, "weights", 9.0, "1", "teacher")]
    with pytest.raises(InputError, match="got none: all runs failed"):
        drawn(failed)


@pytest.mark.parametrize(
    ("kind", "teacher", "got"),
    [
        ("rdf", [], "options teacher of rdf, got none"),
        ("errors", ["--option", "teacher=x"], "options none of errors, got teacher"),
        ("rdf", ["--option", "controls"], "--option NAME=VALUE, got controls"),
    ],
)
def test_the_verb_wants_a_teacher_for_these_alone(tmp_path, kind, teacher, got) -> None:
    words = ["--kind", kind, "--dataset", "al", "--output", str(tmp_path / "f.svg"), "t.csv"]
    result = CliRunner().invoke(app, ["figure", *teacher, *words])
    assert isinstance(result.exception, InputError)
    assert got in str(result.exception)


def test_the_verb_draws_what_differs_from_the_teacher_named(tmp_path) -> None:
    write_rows(tmp_path / "rdf.csv", drawn_rows(MODELS), [])
    words = ["--kind", "rdf", "--option", "teacher=controls", "--dataset", "al"]
    words += ["--output", str(tmp_path / "f.svg"), str(tmp_path / "rdf.csv")]
    assert CliRunner().invoke(app, ["figure", *words]).exit_code == 0
    assert "from controls" in (tmp_path / "f.svg").read_text()
