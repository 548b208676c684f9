"""kill -9 at random instants of training: resumed weights are the same bits."""

import random
import signal
import subprocess
import time

import pytest

INSTANTS = 20


@pytest.mark.slow
def test_kill_and_resume(training_of, inject) -> None:
    """An uninterrupted training, and one that is killed again and again."""
    training = training_of(epochs=150)
    began = time.monotonic()
    subprocess.run(training.command("whole"), check=True, capture_output=True)
    length = time.monotonic() - began
    start_up = 3.0
    instants = random.Random(0)
    kills = 0
    while kills < INSTANTS:
        process = subprocess.Popen(training.command("killed"), stderr=subprocess.DEVNULL)
        try:
            process.wait(start_up + instants.random() * max(length - start_up, 2) / INSTANTS)
            break  # it came to its end before the instant
        except subprocess.TimeoutExpired:
            inject("kill -9: training, at a random instant", "recovered")
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
    subprocess.run(training.command("killed"), check=True, capture_output=True)
    assert kills >= INSTANTS // 2, "trained too fast for the test to interrupt it"
    assert training.same("whole", "killed")
