"""Stopping in time, and what is done when it is resumed."""

import os
import signal

import numpy as np
import pytest

from mlipkd.errors import TryAgainError
from mlipkd.jobs import resumable
from mlipkd.jobs.resumable import Resumable, listen


@pytest.fixture
def handlers():
    """Restores the handlers of signals."""
    numbers = (signal.SIGTERM, signal.SIGUSR1)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGUSR1"])
def test_a_signal_is_a_reason_to_stop(handlers, name) -> None:
    stop = listen(None)
    assert stop() is None
    os.kill(os.getpid(), getattr(signal, name))
    assert stop() == f"{name} came"


@pytest.mark.parametrize(
    ("runtime", "job", "seconds", "stops"),
    [
        (60, "12", 3419, False),
        (60, "12", 3421, True),
        (4, "12", 119, False),  # at most half of the time is reserved
        (4, "12", 121, True),
        (60, None, 1e6, False),  # outside of SLURM nothing ends the job
    ],
)
def test_time_that_is_nearly_over_is_a_reason(
    handlers, monkeypatch, runtime, job, seconds, stops
) -> None:
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    if job is not None:
        monkeypatch.setenv("SLURM_JOB_ID", job)
    now = [0.0]
    monkeypatch.setattr(resumable.time, "monotonic", lambda: now[0])
    stop = listen(runtime)
    now[0] = seconds
    assert stop() == (f"its {runtime} minutes are nearly over" if stops else None)


def test_pieces_are_there_for_the_same_work_alone(tmp_path) -> None:
    output, pieces = tmp_path / "rows.csv", {"first": np.arange(3.0)}
    with pytest.raises(TryAgainError, match=r"rows.csv: stopped because .* goes on"):
        Resumable(output, "the same", lambda: "the test says so").keep(pieces)
    resumed = Resumable(output, "the same")
    np.testing.assert_array_equal(resumed.pieces["first"], pieces["first"])
    assert Resumable(output, "other settings").pieces == {}
    resumed.finish()
    assert not list(tmp_path.iterdir())


def test_damaged_pieces_are_computed_again(tmp_path) -> None:
    output = tmp_path / "rows.csv"
    Resumable(output).keep({"first": np.arange(3.0)})
    (checkpoint,) = tmp_path.glob("*.checkpoint")
    checkpoint.write_bytes(checkpoint.read_bytes()[:-1])
    assert Resumable(output).pieces == {}


def test_without_an_output_nothing_is_saved(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    work = Resumable(stop=lambda: "nobody listens")
    work.keep({"first": np.arange(3.0)})
    work.finish()
    assert list(work.pieces) == ["first"] and not list(tmp_path.iterdir())
