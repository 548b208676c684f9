"""kill -9 at random instants of training: resumed weights are the same bits."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors.torch import load_file

from tests.unit.training.conftest import settings, tiny_dataset  # noqa: F401

INSTANTS = 20


@pytest.fixture
def command(settings, tiny_dataset, tmp_path):  # noqa: F811
    """The command that trains into a folder."""
    (tmp_path / "settings.yaml").write_text(settings(epochs=150).to_yaml())

    def make(folder: str) -> list[str]:
        return [
            *(sys.executable, "-m", "mlipkd", "train", "--checkpoint-every", "0"),
            *("--settings", str(tmp_path / "settings.yaml"), "--dataset", str(tiny_dataset)),
            *("--output", str(tmp_path / folder / "model.safetensors")),
            *("--history", str(tmp_path / folder / "history.jsonl")),
        ]

    return make


def test_kill_and_resume(command, tmp_path: Path) -> None:
    """One undisturbed training beside one that is killed again and again."""
    began = time.monotonic()
    subprocess.run(command("whole"), check=True, capture_output=True)
    length = time.monotonic() - began
    start_up = 3.0
    instants = random.Random(0)
    kills = 0
    while kills < INSTANTS:
        process = subprocess.Popen(command("killed"), stderr=subprocess.DEVNULL)
        try:
            process.wait(start_up + instants.random() * max(length - start_up, 2) / INSTANTS)
            break  # it came to its end before the instant
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
    subprocess.run(command("killed"), check=True, capture_output=True)
    assert kills >= INSTANTS // 2, "trained too fast for the test to interrupt it"

    whole, killed = (
        load_file(tmp_path / name / "model.safetensors") for name in ("whole", "killed")
    )
    assert whole.keys() == killed.keys()
    assert all(whole[key].equal(killed[key]) for key in whole)
    histories = [
        [line.split('"seconds"')[0] for line in (tmp_path / name / "history.jsonl").open()]
        for name in ("whole", "killed")
    ]
    assert histories[0] == histories[1]
