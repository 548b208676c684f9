"""kill -9 while a checkpoint, the model or the history is written: the same bits in the end."""

import signal
from functools import partial

import pytest

from tests.faults.children import count_calls, die_at_call, die_beyond

#: Steps of the first two checkpoints, and of model and history at the end.
FIRST, LAST = 7, 4


@pytest.mark.slow
@pytest.mark.parametrize("call", ["replace", "fsync", "link", "unlink"])
def test_killed_at_each_step_between_write_and_rename(training_of, inject, tmp_path, call) -> None:
    training = training_of(epochs=3)
    assert training.run("whole", partial(count_calls, call, tmp_path / "calls")).status == 0
    steps = (tmp_path / "calls").stat().st_size
    assert steps > FIRST + LAST
    for step in (*range(1, FIRST + 1), *range(steps - LAST + 1, steps + 1)):
        inject(f"kill -9: training, at os.{call} of a file", "recovered")
        folder = f"killed{step}"
        ended = training.run(folder, partial(die_at_call, call, step))
        assert ended.status == -signal.SIGKILL
        there = [
            path
            for path in training.folder(folder).glob("model.safetensors.checkpoint*")
            if path.suffix != ".sha256"
        ]
        again = training.run(folder)
        assert again.status == 0
        # From its first checkpoint on, a training never begins anew.
        assert bool(there) == ("resuming after epoch" in again.error), f"{call} {step}"
        assert training.same("whole", folder), f"{call} {step}"
    assert there


@pytest.mark.parametrize("part", [0.3, 0.99])
def test_killed_in_the_middle_of_a_checkpoint(training_of, inject, part) -> None:
    training = training_of(epochs=4)
    assert training.run("whole").status == 0
    # Checkpoints are there before the one that is cut short.
    training.run("killed", partial(die_at_call, "replace", 8))
    size = max(path.stat().st_size for path in training.folder("killed").glob("*.checkpoint*"))
    inject("kill -9: training, in the middle of a checkpoint", "recovered")
    assert training.run("killed", partial(die_beyond, int(part * size))).status == -signal.SIGXFSZ
    again = training.run("killed")
    assert again.status == 0
    assert "resuming after epoch" in again.error
    assert training.same("whole", "killed")


def test_killed_while_the_history_is_cut_back(training_of, inject) -> None:
    """On resuming, lines later than the checkpoint are dropped; the others must not get lost."""
    training = training_of(epochs=4)
    assert training.run("whole").status == 0
    training.run("killed", partial(die_at_call, "replace", 8))
    inject("kill -9: training, in the middle of a history", "recovered")
    assert training.run("killed", partial(die_beyond, 100)).status == -signal.SIGXFSZ
    assert training.run("killed").status == 0
    assert training.same("whole", "killed")
