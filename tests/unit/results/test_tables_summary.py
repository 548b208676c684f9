"""The summary: mean and deviation over seeds, families side by side."""

from mlipkd.evaluation.core.grid import pivot
from mlipkd.evaluation.core.rows import Row, Source, write_rows
from mlipkd.results.tables import markdown, summary

MEMBERS = {
    ("teachers", "big"): [0.10, 0.20],
    ("students", "big"): [0.05, 0.06, 0.07],
    ("students", "small"): [0.5],
    ("controls", "small"): [0.6, 0.8],
}
ROWS = [
    Row("al", family, model, seed, "forces_rmse", value, "eV/Å")
    for (family, model), values in MEMBERS.items()
    for seed, value in enumerate(values)
] + [
    Row("al", "teachers", "big", "ensemble", "forces_rmse", 0.09, "eV/Å"),
    Row("al", "students", "big", "all", "forces_rmse", 0.061, "eV/Å"),
    Row("al", "teachers", "big", 0, "weights", 154450, "1"),
]


def cells(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]


def test_pivot() -> None:
    header, _, *lines = cells(markdown(pivot(ROWS)))
    assert header == ["metric", "model", "teachers (2)", "students (1–3)", "controls (2)"]
    assert lines == [
        ["forces_rmse, eV/Å", "big", "0.150 ± 0.071", "0.060 ± 0.010", ""],
        ["", "*ensemble*", "0.09000", "", ""],
        ["", "*all*", "", "0.06100", ""],
        ["", "small", "", "0.5000", "0.70 ± 0.14"],
        ["weights", "big", "154450", "", ""],
    ]


def test_a_subset_called_all_is_not_all_runs() -> None:
    rows = [Row("al", "t", "big", seed, "rmse", 1.0, "eV", "all") for seed in (0, "ensemble")]
    assert cells(markdown(pivot(rows)))[2:] == [
        ["all", "rmse, eV", "big", "1.000"],
        ["", "", "*ensemble*", "1.000"],
    ]


def test_columns_line_up() -> None:
    assert len({len(line) for line in markdown(pivot(ROWS)).splitlines()}) == 1


def test_one_table_for_each_dataset_and_evaluation(tmp_path) -> None:
    other = [row._replace(dataset="molecules") for row in ROWS]
    write_rows(tmp_path / "errors.csv", ROWS + other, [])
    text = summary([tmp_path / "errors.csv"])
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        "## al: errors",
        "## molecules: errors",
    ]
    assert "\nMade by mlipkd " in text


def test_mixed_versions_are_told(tmp_path) -> None:
    write_rows(tmp_path / "errors.csv", ROWS, [Source("m", "f" * 64, ["mlipkd 0.0.1, commit abc"])])
    text = summary([tmp_path / "errors.csv"])
    assert "Warning: made by 2 versions" in text
    assert "mlipkd 0.0.1, commit abc" in text


def test_an_interval_stands_beside_what_all_runs_gave() -> None:
    rows = [
        Row(
            *("chno", "teachers", "big", seed, f"failed{bound}", value, "1"),
            *("", "timestep", at, "fs"),
        )
        for at in (0.5, 1.0)
        for seed in (0, 1, "all")
        for bound, value in (("", 0.25), ("_low", 0.0731), ("_high", 0.524))
    ]
    assert cells(markdown(pivot(rows)))[2:] == [
        line
        for at in ("0.5", "1")
        for line in (
            ["failed", f"timestep {at} fs", "big", "0.2500"],
            ["", "", "*all*", "0.2500 (0.07–0.52)"],
        )
    ]


def test_what_ends_like_a_bound_of_nothing_stands_for_itself() -> None:
    rows = [Row("al", "teachers", "big", 0, "barrier_low", 0.5, "eV", "own")]
    assert cells(markdown(pivot(rows)))[2:] == [["own", "barrier_low, eV", "big", "0.5000"]]


def test_recommendations_stand_with_their_price_beside_the_teacher(tmp_path) -> None:
    rows = [
        Row("al", family, "m", 3, metric, value, unit, name)
        for name, family, time, error in (("teacher", "teachers", 9, 1), ("fastest", "s", 3, 1.1))
        for metric, value, unit in (("time", time, "µs/atom/step"), ("of_teacher", error, "1"))
    ]
    write_rows(tmp_path / "recommended.csv", rows, [])
    text = summary([tmp_path / "recommended.csv"])
    table = text[text.index("|") : text.rindex("|") + 1]
    header, _, *lines = cells(table)
    assert header == ["", "model", "time, µs/atom/step", "of_teacher"]
    assert lines == [
        ["teacher", "teachers/m seed 3", "9.000", "1.000"],
        ["fastest", "s/m seed 3", "3.000", "1.100"],
    ]


def test_small_numbers_have_a_power_of_ten() -> None:
    drifts = [("a", 0, 1e-6), ("a", 1, 3e-6), ("b", 0, 4e-8), ("c", 0, 0.001)]
    rows = [Row("al", f, "m", seed, "drift", value, "eV/atom/ps") for f, seed, value in drifts]
    assert cells(markdown(pivot(rows)))[2][2:] == ["2.0e-06 ± 1.4e-06", "4.0e-08", "0.001000"]
