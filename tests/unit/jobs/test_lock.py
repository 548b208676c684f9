"""One maker for each output, whatever becomes of the makers."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mlipkd.errors import InputError, TryAgainError
from mlipkd.jobs.lock import locked

HOLD = """
import sys, time
from pathlib import Path
from mlipkd.jobs.lock import locked
with locked([Path(path) for path in sys.argv[1:]]):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def other():
    """Starts another process that holds the locks of some outputs."""
    started = []

    def hold(*outputs: Path) -> subprocess.Popen:
        command = [sys.executable, "-c", HOLD, *map(str, outputs)]
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"SLURM_JOB_ID": "4711"},
        )
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield hold
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def squeue(tmp_path, monkeypatch):
    """Puts a squeue on the PATH that answers as told."""

    def answers(text: str, status: int = 0) -> None:
        program = tmp_path / "bin" / "squeue"
        program.parent.mkdir(exist_ok=True)
        stream = 1 if status == 0 else 2
        program.write_text(f"#!/bin/sh\necho '{text}' >&{stream}\nexit {status}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")

    return answers


def test_the_second_refuses_and_names_the_first(tmp_path, other):
    first = other(tmp_path / "a.csv", tmp_path / "b.csv")
    with (
        pytest.raises(TryAgainError, match=f"b.csv: .* pid {first.pid} job 4711"),
        locked([tmp_path / "b.csv"], patience=0),
    ):
        pytest.fail("two makers")
    with locked([tmp_path / "c.csv"], patience=0):
        pass


def test_waits_for_the_first_to_end(tmp_path, other):
    first = other(tmp_path / "a.csv")
    first.send_signal(signal.SIGTERM)
    with locked([tmp_path / "a.csv"], patience=10):
        assert first.wait() == -signal.SIGTERM


def test_takes_over_from_the_dead_and_clears_up_behind_them(tmp_path, other, capfd):
    first = other(tmp_path / "a.csv")
    left, own = tmp_path / f".a.csv.{first.pid}.tmp", tmp_path / ".ab.csv.1.tmp"
    left.touch(), own.touch()
    first.kill()
    first.wait()
    with locked([tmp_path / "a.csv"], patience=0):
        assert not left.exists() and own.exists()
    assert f"taking over from host {os.uname().nodename} pid {first.pid}" in capfd.readouterr().err


def test_leaves_nothing_behind(tmp_path):
    with locked([tmp_path / "new" / "a.csv"], patience=0):
        assert [path.name for path in (tmp_path / "new").iterdir()] == [".a.csv.lock"]
    assert list((tmp_path / "new").iterdir()) == []


@pytest.mark.parametrize(
    ("answer", "status", "taken"),
    [
        ("RUNNING", 0, False),
        ("COMPLETING", 0, False),
        ("COMPLETED", 0, True),
        ("PENDING", 0, True),
        ("", 0, True),
        ("slurm_load_jobs error: Invalid job id specified", 1, True),
        ("slurm_load_jobs error: Unable to contact slurm controller", 1, False),
    ],
)
def test_asks_slurm_where_the_lock_does_not_reach(tmp_path, squeue, answer, status, taken):
    squeue(answer, status)
    (tmp_path / ".a.csv.lock").write_text("host elsewhere pid 1 job 12\n")
    try:
        with locked([tmp_path / "a.csv"], patience=0):
            assert taken
    except TryAgainError as error:
        assert not taken and "host elsewhere pid 1 job 12" in str(error)


def test_a_job_put_back_into_the_queue_takes_over_from_itself(tmp_path, squeue, monkeypatch):
    squeue("RUNNING")
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    (tmp_path / ".a.csv.lock").write_text("host elsewhere pid 1 job 12\n")
    with locked([tmp_path / "a.csv"], patience=0):
        pass


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(InputError, match="could not be locked"),
        locked([tmp_path / "file" / "a.csv"], patience=0),
    ):
        pytest.fail("no lock")


def test_a_full_disk_leaves_no_lock(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with (
        pytest.raises(InputError, match="No space left on device"),
        locked([tmp_path / "a.csv"], patience=0),
    ):
        pytest.fail("no lock")
    assert not list(tmp_path.iterdir())


def test_many_makers_one_after_the_other(tmp_path):
    """Makers that come and go at once never meet."""
    script = """
import sys, time
from pathlib import Path
from mlipkd.jobs.lock import locked
output, inside = Path(sys.argv[1]), Path(sys.argv[2])
began = time.monotonic()  # not before Python has started, which takes long on a busy machine
for _ in range(5):
    with locked([output]):
        inside.mkdir()  # fails if another is inside
        inside.rmdir()
assert time.monotonic() - began < 30
"""
    words = [sys.executable, "-c", script, str(tmp_path / "a.csv"), str(tmp_path / "inside")]
    makers = [subprocess.Popen(words) for _ in range(4)]
    assert [maker.wait() for maker in makers] == [0, 0, 0, 0]
