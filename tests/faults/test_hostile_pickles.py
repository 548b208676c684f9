"""Pickles in place of other files: refused by every verb, and nothing in them is run."""

import io
import pickle
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from mlipkd.jobs import artefacts
from tests.faults.children import die_at_call, verb


class Touch:
    """What makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def plain(content: Touch) -> bytes:
    return pickle.dumps(content)


def of_torch(content: Touch) -> bytes:
    buffer = io.BytesIO()
    torch.save({"weights": content}, buffer)
    return buffer.getvalue()


def of_numpy(content: Touch) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array([content], object), allow_pickle=True)
    return buffer.getvalue()


def zipped(content: Touch) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("data.pkl", pickle.dumps(content))
        archive.writestr("energy.npy", of_numpy(content))
    return buffer.getvalue()


def old_trajectory(content: Touch) -> bytes:
    return b"PickleTrajectory" + pickle.dumps(content)


PICKLES = [plain, of_torch, of_numpy, zipped, old_trajectory]


@pytest.fixture
def canary(tmp_path):
    """What would be made if a pickle were read."""
    return tmp_path / "canary"


def replace(path: Path, content: bytes) -> None:
    """Put content in place of an artefact, with its hash, as an attacker would."""
    with artefacts.writing(path) as temporary:
        temporary.write_bytes(content)


def refused(path: Path, *words: object) -> None:
    """A verb ends with one line that names the file."""
    ended = verb(*words)
    assert ended.status == 2, ended.error
    (line,) = ended.error.splitlines()
    assert line.startswith("error: ")
    assert str(path) in line


@pytest.mark.parametrize("make", PICKLES)
def test_the_pickles_are_dangerous(canary, make) -> None:
    content = make(Touch(canary))
    if make is zipped:
        content = zipfile.ZipFile(io.BytesIO(content)).read("data.pkl")
    if make in (plain, zipped):
        pickle.loads(content)
    elif make is of_torch:
        torch.load(io.BytesIO(content), weights_only=False)
    elif make is of_numpy:
        np.load(io.BytesIO(content), allow_pickle=True)
    else:
        pickle.loads(content.removeprefix(b"PickleTrajectory"))
    assert canary.exists()


@pytest.mark.parametrize("make", PICKLES)
def test_model_dataset_and_predictions(verbs, canary, inject, make) -> None:
    hostile = make(Touch(canary))
    for path, name in (
        (verbs.predictions[1], "merge"),
        (verbs.models[0], "predict"),
        (verbs.models[0], "evaluate errors"),
        (verbs.dataset, "predict"),
        (verbs.dataset, "merge"),
        (verbs.dataset, "evaluate errors"),
    ):
        sound = path.read_bytes()
        inject("hostile: pickle in the place of an artefact", "refused")
        replace(path, hostile)
        refused(path, *verbs.words(name, "out"))
        assert not verbs.output(name, "out").exists()
        replace(path, sound)
    assert not canary.exists()


@pytest.mark.parametrize("make", PICKLES)
def test_checkpoint(training_of, canary, inject, make) -> None:
    training = training_of(epochs=2)
    assert training.run("whole").status == 0
    training.run("killed", partial(die_at_call, "replace", 8))
    for path in training.folder("killed").glob("*.checkpoint*"):
        if path.suffix != ".sha256":
            replace(path, make(Touch(canary)))
    inject("hostile: pickle in the place of a checkpoint", "recovered")
    assert training.run("killed").status == 0
    assert training.same("whole", "killed")
    assert not canary.exists()


@pytest.mark.parametrize("suffix", [".h5", ".xyz", ".traj", ".db", ".json", ".pkl", ".npz", ".py"])
@pytest.mark.parametrize("make", PICKLES)
def test_sources(tmp_path, canary, inject, make, suffix) -> None:
    path, output = tmp_path / f"source{suffix}", tmp_path / "out" / "dataset.h5"
    path.write_bytes(make(Touch(canary)))
    inject("hostile: pickle in the place of a source", "refused")
    refused(path, "check", path)
    assert not canary.exists()
    if suffix not in (".h5", ".traj"):
        return  # one file for each reader is enough for the other verb
    reader = "comp6" if suffix == ".h5" else "ase"
    settings = {"name": "test", "source": {"reader": reader, "files": [str(path)]}, "split": {}}
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(settings))
    refused(path, "dataset", "--settings", tmp_path / "settings.yaml", "--output", output)
    assert not output.exists()
    assert not canary.exists()
