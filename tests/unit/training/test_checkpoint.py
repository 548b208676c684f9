"""Stopping between mini-batches, and resuming from checkpoints."""

import errno
import json
import os

import pytest
import torch

from mlipkd.errors import TryAgainError
from mlipkd.hipnn.file import load_potential
from mlipkd.jobs import provenance
from mlipkd.training.loop import TrainingJob, train


def jobs(settings, folder, seeds=(0, 1)):
    return [
        TrainingJob(
            settings(seed=seed, epochs=3),
            folder / f"{seed}.safetensors",
            folder / f"{seed}.jsonl",
        )
        for seed in seeds
    ]


def after(mini_batches: int):
    """Stops training after so many mini-batches."""
    left = iter(range(mini_batches - 1))
    return lambda: None if next(left, None) is not None else "the test says so"


def weights_and_history(job):
    state = load_potential(job.output).model.state_dict()
    lines = [json.loads(line) for line in job.history.read_text().splitlines()]
    return state, [line | {"seconds": None} for line in lines]


@pytest.mark.parametrize("mini_batches", [1, 3, 4])
def test_stopped_again_and_again(settings, tiny_dataset, tmp_path, mini_batches):
    """An epoch has four mini-batches: stops in the middle and at the end of epochs."""
    whole = jobs(settings, tmp_path / "whole")
    train(whole, tiny_dataset)
    stopped, stops = jobs(settings, tmp_path / "stopped"), 0
    while True:
        try:
            train(stopped, tiny_dataset, stop=after(mini_batches))
            break
        except TryAgainError as error:
            stops += 1
            assert "the test says so" in str(error) and not stopped[0].output.exists()
    assert stops == 12 // mini_batches
    for job, other in zip(whole, stopped, strict=True):
        (expected, lines), (found, others) = weights_and_history(job), weights_and_history(other)
        assert all(torch.equal(expected[name], found[name]) for name in expected)
        assert lines == others and len(lines) == 3


def test_a_deleted_model_is_made_again_without_training(settings, tiny_dataset, tmp_path, capfd):
    members = jobs(settings, tmp_path)
    train(members, tiny_dataset)
    expected = [weights_and_history(job) for job in members]
    for job in members:
        job.output.unlink()
        job.history.unlink()
    train(members, tiny_dataset)
    assert "resuming after epoch 3" in capfd.readouterr().err
    for job, (state, lines) in zip(members, expected, strict=True):
        found, others = weights_and_history(job)
        assert all(torch.equal(state[name], found[name]) for name in state)
        assert lines == others


def test_other_code_begins_anew(settings, tiny_dataset, tmp_path, capfd, monkeypatch):
    members = jobs(settings, tmp_path)
    train(members, tiny_dataset)
    monkeypatch.setattr(provenance, "code", lambda: "other")
    train(members, tiny_dataset)
    said = capfd.readouterr().err
    assert "of other settings, data or code: training begins anew" in said
    assert "resuming" not in said


@pytest.mark.parametrize("harm", ["another", "lost", "cut"])
def test_the_history_is_of_the_training_that_goes_on(settings, tiny_dataset, tmp_path, harm):
    """Though another training has begun in its place, or the lines that grow are lost."""
    (whole,), (job,) = jobs(settings, tmp_path / "whole", [0]), jobs(settings, tmp_path, [0])
    train([whole], tiny_dataset)
    with pytest.raises(TryAgainError):
        train([job], tiny_dataset, stop=after(9))  # in the third epoch
    partial = job.history.with_name(job.history.name + ".partial")
    if harm == "another":
        recipe = job.settings.recipe.model_dump()
        recipe["optimiser"]["learning_rate"] = 0.5
        other = TrainingJob(settings(recipe=recipe), job.output, job.history)
        with pytest.raises(KeyboardInterrupt):
            train([other], tiny_dataset, stop=interrupted(after(7)))
    elif harm == "lost":
        partial.unlink()
    else:
        partial.write_text(partial.read_text()[:20])
    train([job], tiny_dataset)
    assert weights_and_history(job)[1] == weights_and_history(whole)[1]
    assert partial.read_text() == job.history.read_text()


def test_without_hard_links_the_checkpoint_before_is_a_copy(
    settings, tiny_dataset, tmp_path, monkeypatch, capfd
):
    """And does what it is for where the last one is damaged."""

    def refuse(*_):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    (whole,), (job,) = jobs(settings, tmp_path / "whole", [0]), jobs(settings, tmp_path, [0])
    train([whole], tiny_dataset, checkpoint_every=0)
    with pytest.raises(TryAgainError):
        train([job], tiny_dataset, checkpoint_every=0, stop=after(9))
    last = job.output.with_name(job.output.name + ".checkpoint")
    last.write_bytes(last.read_bytes()[:-1])
    train([job], tiny_dataset)
    assert "resuming after epoch 1 and 4 mini-batches" in capfd.readouterr().err
    (expected, lines), (found, others) = weights_and_history(whole), weights_and_history(job)
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert lines == others


def interrupted(stop):
    """Interrupts training by Ctrl-C, which leaves no checkpoint, where it would be stopped."""

    def ask():
        if stop():
            raise KeyboardInterrupt

    return ask
