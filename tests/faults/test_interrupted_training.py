"""Training that is told to stop: it saves its state, says so by its exit status, and resumes."""

import os
import signal
import subprocess
import sys

import pytest
from safetensors.torch import load_file

from tests.unit.training.conftest import settings, tiny_dataset  # noqa: F401


@pytest.fixture
def train(settings, tiny_dataset, tmp_path):  # noqa: F811
    """Starts ``mlipkd train`` into a folder."""
    (tmp_path / "settings.yaml").write_text(settings(epochs=100).to_yaml())

    def start(folder: str, *words: str, **environment: str) -> subprocess.Popen:
        command = [
            *(sys.executable, "-m", "mlipkd", "train", "--checkpoint-every", "1000"),
            *("--settings", str(tmp_path / "settings.yaml"), "--dataset", str(tiny_dataset)),
            *("--output", str(tmp_path / folder / "model.safetensors")),
            *("--history", str(tmp_path / folder / "history.jsonl"), *words),
        ]
        return subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, env=os.environ | environment
        )

    return start


def end(process: subprocess.Popen) -> tuple[int, str]:
    _, said = process.communicate(timeout=1200)
    return process.returncode, said


def wait_until_it_trains(process: subprocess.Popen) -> None:
    while "configurations to train on" not in process.stderr.readline():
        assert process.poll() is None


@pytest.mark.slow
def test_stopped_and_gone_on_with(train, tmp_path, inject):
    assert end(train("whole"))[0] == 0
    for number in (signal.SIGTERM, signal.SIGUSR1):
        inject(f"{number.name}: training", "recovered")
        process = train("stopped")
        wait_until_it_trains(process)
        process.send_signal(number)
        status, said = end(process)
        assert status == 75, said
        assert f"mini-batches because {number.name} came; the same command goes on" in said
    inject("time over: training", "recovered")
    # No time is left when it starts: it stops after its first mini-batch.
    status, said = end(train("stopped", "--runtime", "0.0001", SLURM_JOB_ID="1"))
    assert status == 75 and "because its 0.0001 minutes are nearly over" in said
    # Nobody ends a job outside of SLURM.
    status, said = end(train("stopped", "--runtime", "0.0001"))
    assert status == 0 and "resuming after epoch" in said
    whole, stopped = (load_file(tmp_path / f / "model.safetensors") for f in ("whole", "stopped"))
    assert whole.keys() == stopped.keys()
    assert all(whole[key].equal(stopped[key]) for key in whole)


def test_other_code_than_was_submitted_is_refused(train, tmp_path, inject):
    inject("other code on a node than was submitted", "refused")
    status, said = end(train("other", MLIPKD_CODE="0" * 64))
    assert status == 2 and "expected the code that the campaign was started with (000000" in said
    assert not (tmp_path / "other").exists()
