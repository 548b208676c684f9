"""Stability: fractions with their intervals, times and drifts, of members and of all runs."""

import numpy as np
import pytest
from ase import Atoms
from pydantic import ValidationError

from mlipkd.dynamics.trajectories import NVERun
from mlipkd.errors import InputError, TryAgainError
from mlipkd.evaluation import FIGURES, stability
from mlipkd.evaluation.core.ensembles import Ensemble, load_ensembles
from mlipkd.evaluation.core.rows import POOLED, Row
from mlipkd.evaluation.stability import StabilityEvaluation, evaluate_stability
from mlipkd.jobs.resumable import Resumable

SETTINGS = StabilityEvaluation(runs=10, timesteps=[0.5, 2], duration=0.1, temperature=500)


@pytest.fixture
def box() -> Atoms:
    return Atoms("CH4", np.random.default_rng(0).random((5, 3)), cell=[8] * 3, pbc=True)


@pytest.fixture
def rows(box, monkeypatch) -> dict:
    """Member 0 never fails; of member 1 three runs of ten do at 2 fs, after 20, 40 and 60 fs."""
    given = []

    def played(engine, potential, starts, timestep, settings, name) -> list[NVERun]:
        given.append((engine, potential, timestep, [start.get_velocities() for start in starts]))
        runs = []
        for number in range(len(starts)):
            failed = (potential, timestep) == ("b", 2.0) and number < 3
            steps = 10 * (number + 1) if failed else 50
            slope = 0.01 * (-1) ** number * timestep  # eV per step
            runs.append(NVERun(timestep, 3.0 + slope * np.arange(steps + 1), failed, box))
        return runs

    monkeypatch.setattr(stability, "_run", played)
    ensemble = Ensemble("d", "students", "m", [1, 6], {0: "a", 7: "b"})
    found = evaluate_stability(box, SETTINGS, "ase", [ensemble])
    assert {row[:3] for row in found} == {("d", "students", "m")}
    assert {(row.condition, row.at_unit) for row in found} == {("time step", "fs")}
    values = {(row.seed, row.at, row.metric): (row.value, row.unit) for row in found}
    return values | {"given": given}


def test_no_failure_in_ten(rows) -> None:
    assert rows[0, 0.5, "failed"] == (0, "1")
    assert rows[0, 0.5, "failed_low"] == (0, "1")
    # Clopper and Pearson: (1 - p)^10 = 0.025
    assert rows[0, 0.5, "failed_high"][0] == pytest.approx(1 - 0.025**0.1)
    assert (0, 0.5, "time_to_failure") not in rows


def test_some_failures(rows) -> None:
    assert rows[7, 2.0, "failed"] == (0.3, "1")
    # Tabulated: 3 of 10, 95 %
    assert rows[7, 2.0, "failed_low"][0] == pytest.approx(0.0667, abs=5e-5)
    assert rows[7, 2.0, "failed_high"][0] == pytest.approx(0.6525, abs=5e-5)
    assert rows[7, 2.0, "time_to_failure"] == (pytest.approx(0.04), "ps")


def test_drift_has_no_sign(rows) -> None:
    """0.01 eV/fs up or down of five atoms."""
    for seed in (0, 7, "all"):
        assert rows[seed, 2.0, "drift"] == (pytest.approx(0.01 / 5 * 1e3), "eV/atom/ps")


def test_all_runs_together(rows) -> None:
    assert rows["all", 2.0, "failed"][0] == pytest.approx(3 / 20)
    assert rows["all", 2.0, "time_to_failure"][0] == pytest.approx(0.04)
    assert rows["all", 0.5, "failed_high"][0] == pytest.approx(1 - 0.025 ** (1 / 20))
    assert {seed for seed, *_ in rows if seed != "g"} == {0, 7, "all"}


def test_velocities_differ_by_seed_and_run_alone(rows) -> None:
    own = {(potential, timestep): v for _, potential, timestep, v in rows["given"]}
    np.testing.assert_array_equal(own["a", 0.5], own["a", 2.0])
    both = np.array([*own["a", 0.5], *own["b", 0.5]])  # (runs, atoms, 3)
    assert len(np.unique(both[:, 0, 0])) == 20


@pytest.mark.parametrize("engine", ["ase", "torch-sim"])
def test_a_real_member(engine, write_model, tmp_path, box) -> None:
    if engine == "torch-sim":
        pytest.importorskip("torch_sim")
    models = [write_model(f"{seed}.safetensors", seed=seed) for seed in (0, 1)]
    ensembles, _ = load_ensembles(models, "cpu")
    settings = StabilityEvaluation(runs=2, timesteps=[1.0], duration=0.005, closest=0.01)
    rows = evaluate_stability(box, settings, engine, ensembles)
    assert [(row.seed, row.at, row.metric) for row in rows if "failed" in row.metric] == [
        (seed, 1.0, metric)
        for seed in (0, 1, "all")
        for metric in ("failed", "failed_low", "failed_high")
    ]
    assert {row.value for row in rows if row.metric == "failed"} == {0.0}


def test_goes_on_after_every_member_and_time_step(write_model, tmp_path, box, monkeypatch) -> None:
    models = [write_model(f"{seed}.safetensors", seed=seed) for seed in (0, 1)]
    ensembles, _ = load_ensembles(models, "cpu")
    settings = StabilityEvaluation(runs=2, timesteps=[1.0, 2.0], duration=0.005, closest=0.01)
    wanted = evaluate_stability(box, settings, "ase", ensembles)
    output = tmp_path / "stability.csv"
    for _ in range(4):
        with pytest.raises(TryAgainError, match="the test says so"):
            resumable = Resumable(output, "the same", lambda: "the test says so")
            evaluate_stability(box, settings, "ase", ensembles, resumable)
    monkeypatch.setattr(stability, "_run", lambda *_: pytest.fail("it was done before"))
    kept = Resumable(output, "the same")
    assert evaluate_stability(box, settings, "ase", ensembles, kept) == wanted
    assert Resumable(output, "something else").pieces == {}
    kept.finish()
    assert not list(tmp_path.glob("stability*"))


def test_unknown_elements_are_refused(box) -> None:
    with pytest.raises(InputError, match=r"students/m was trained on, got C, too; choose another"):
        evaluate_stability(box, SETTINGS, "ase", [Ensemble("d", "students", "m", [1, 8])])


def test_calculators_are_refused(box) -> None:
    with pytest.raises(InputError, match="expected members that were trained here, got xtb"):
        evaluate_stability(box, SETTINGS, "ase", [Ensemble("d", "xtb", "calculator", None)])


def test_stability_is_that_of_all_seeds() -> None:
    values = {"failed_low": 0.1, "failed": 0.25, "failed_high": 0.5}
    rows = [
        Row("chno", family, "m", seed, what, value if seed == POOLED else 9.0, "1", at=step)
        for family in ("teachers", "students")
        for step in (2.0, 0.5)
        for what, value in values.items()
        for seed in (0, POOLED)
    ]
    # Of two members at 2 fs, and none at 0.5, where none failed.
    rows += [
        Row("chno", "students", "m", seed, "time_to_failure", value, "ps", at=2.0)
        for seed, value in ((0, 1.0), (1, 3.0), (POOLED, 9.0))
    ]
    fractions, times = FIGURES["stability"].of_dataset(rows, "chno").axes
    assert fractions.get_legend_handles_labels()[1] == ["teachers", "students"]
    line, _, (bars,) = fractions.containers[0]
    assert list(line.get_xdata()) == [0.5, 2.0]
    assert list(line.get_ydata()) == [0.25, 0.25]
    assert bars.get_segments()[0][:, 1] == pytest.approx([0.1, 0.5])
    line, _, (bars,) = times.containers[1]
    assert (list(line.get_xdata()), list(line.get_ydata())) == ([2.0], [2.0])
    assert bars.get_segments()[0][:, 1] == pytest.approx([2 - 2**0.5, 2 + 2**0.5])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"timesteps": []}, "at least 1 item"),
        ({"timesteps": [1, 1.0]}, "expected timesteps that differ"),
        ({"timesteps": [1.0, 60], "duration": 0.05}, "expected timesteps up to the duration of 50"),
        ({"closest": 0}, "greater than 0"),
        ({"engine": "lammps"}, "'auto', 'ase' or 'torch-sim'"),
        ({"seed": -1}, "greater than or equal to 0"),
    ],
)
def test_stability_refuses(values, message) -> None:
    with pytest.raises(ValidationError, match=message):
        StabilityEvaluation(**values)
