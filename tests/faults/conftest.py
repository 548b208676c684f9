"""Tiny trainings and other verbs, to be interrupted by tests, and their results without faults."""

import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from mlipkd.datasets import file as dataset_file
from mlipkd.distillation.predict import label
from mlipkd.jobs import provenance
from tests.faults.children import verb
from tests.unit.training.conftest import settings, tiny_dataset  # noqa: F401


class Training:
    """The training of a member, in any number of folders."""

    def __init__(self, root: Path, text: str, dataset: Path) -> None:
        self.root, self.dataset = root, dataset
        (root / "settings.yaml").write_text(text)

    def words(self, folder: str) -> list[str]:
        """The arguments of a command line that trains into a folder."""
        return [
            *("train", "--checkpoint-every", "0", "--device", "cpu"),
            *("--settings", str(self.root / "settings.yaml"), "--dataset", str(self.dataset)),
            *("--output", str(self.model(folder))),
            *("--history", str(self.root / folder / "history.jsonl")),
        ]

    def command(self, folder: str) -> list[str]:
        """The command line."""
        return [sys.executable, "-m", "mlipkd", *self.words(folder)]

    def run(self, folder: str, sabotage=None, seconds: float | None = None):
        """Train into a folder, in a separate process."""
        return verb(*self.words(folder), sabotage=sabotage, seconds=seconds)

    def model(self, folder: str) -> Path:
        """The model that is trained in a folder."""
        return self.root / folder / "model.safetensors"

    def folder(self, name: str) -> Path:
        """A folder of the training."""
        return self.root / name

    def same(self, folder: str, other: str) -> bool:
        """Whether weights and histories of two trainings are the same except for times."""
        first, second = (load_file(self.model(name)) for name in (folder, other))
        histories = [
            [line.split('"seconds"')[0] for line in (self.root / name / "history.jsonl").open()]
            for name in (folder, other)
        ]
        return (
            first.keys() == second.keys()
            and all(first[key].equal(second[key]) for key in first)
            and histories[0] == histories[1]
        )


@pytest.fixture
def training_of(settings, tiny_dataset, tmp_path):  # noqa: F811
    """A function that makes a training with a number of epochs."""

    def make(epochs: int) -> Training:
        return Training(tmp_path, settings(epochs=epochs).to_yaml(), tiny_dataset)

    return make


class Verbs:
    """The verbs that follow training, on two untrained members, each into a separate folder."""

    OUTPUTS = {  # noqa: RUF012
        "predict": "predictions.h5",
        "merge": "augmented.h5",
        "evaluate errors": "errors.csv",
    }

    def __init__(self, root: Path, models: list[Path], dataset: Path) -> None:
        self.root, self.models, self.dataset = root, models, dataset
        self.predictions = [root / f"predictions{n}.h5" for n in range(len(models))]
        for model, predictions in zip(models, self.predictions, strict=True):
            label(model, dataset, predictions, torch.device("cpu"))

    def output(self, name: str, folder: str) -> Path:
        """The output of a verb."""
        return self.root / folder / self.OUTPUTS[name]

    def words(self, name: str, folder: str) -> list[object]:
        """The arguments of its command line."""
        words = [*name.split(), "--dataset", self.dataset, "--output", self.output(name, folder)]
        if name == "predict":
            return [*words, "--device", "cpu", "--model", self.models[0]]
        if name == "merge":
            return [*words, "--manifest", self.root / folder / "manifest.json", *self.predictions]
        return [*words, "--device", "cpu", *self.models]

    def same(self, name: str, folder: str, other: str) -> bool:
        """Whether the results in two folders are identical except for their provenance."""
        first, second = (self.output(name, place) for place in (folder, other))
        if first.suffix == ".csv":
            return first.read_bytes() == second.read_bytes()
        arrays, others = _arrays(first), _arrays(second)
        return arrays.keys() == others.keys() and all(
            np.array_equal(arrays[key], others[key]) for key in arrays
        )


def _arrays(path: Path) -> dict[str, np.ndarray]:
    arrays = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: (
                arrays.update({name: item[()]})
                if isinstance(item, h5py.Dataset) and name != "provenance"
                else None
            )
        )
    return arrays


@pytest.fixture
def verbs(tiny_dataset, write_model, tmp_path) -> Verbs:  # noqa: F811
    """Predict, merge and evaluate errors of two members."""
    models = [write_model(f"model{seed}.safetensors", seed=seed) for seed in (0, 1)]
    dataset = replace(dataset_file.read(tiny_dataset), provenance=provenance.record())
    dataset_file.write(dataset, tmp_path / "dataset.h5")
    return Verbs(tmp_path, models, tmp_path / "dataset.h5")
