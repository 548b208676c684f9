"""Students of students: what a second generation learns from, with real members."""

import functools
from pathlib import Path

import numpy as np
import pytest
import torch

from mlipkd.config.load import parse_section
from mlipkd.config.settings import TrainSettings
from mlipkd.datasets import file as dataset_file
from mlipkd.datasets.dataset import TRAIN, VALIDATION
from mlipkd.distillation.merge import merge
from mlipkd.distillation.predict import label
from mlipkd.hipnn.file import load_potential
from mlipkd.jobs import artefacts
from mlipkd.testing import dataset_of, random_molecule
from mlipkd.training.loop import TrainingJob, train
from tests.models import small_shape

CPU = torch.device("cpu")


@pytest.fixture
def dataset(tmp_path):
    generator = np.random.default_rng(0)
    made = dataset_of(
        [random_molecule(generator, 4) for _ in range(6)],
        energy=generator.normal(size=6),
        forces=generator.normal(size=(24, 3)),
    )
    made.splits[:] = [TRAIN, TRAIN, VALIDATION, TRAIN, TRAIN, VALIDATION]
    dataset_file.write(made, tmp_path / "dataset.h5")
    return tmp_path / "dataset.h5"


@pytest.fixture
def trained(tmp_path):
    """A function that trains a member of a family for an epoch and returns its model file."""
    return functools.partial(_trained, tmp_path)


def _trained(root: Path, family: str, seed: int, labels: str, dataset: Path) -> Path:
    folder = root / family / f"seed{seed}"
    folder.mkdir(parents=True)
    content = {
        "dataset": "test",
        "family": family,
        "seed": seed,
        "architecture": small_shape(hard_max=4.0).model_dump(),
        "recipe": {
            "loss": [{"quantity": "forces", "labels": labels, "weight": 1}],
            "batch": {"configurations": 4},
            "optimiser": {"epochs": 1},
        },
        "split": {},
    }
    settings = parse_section(TrainSettings, content, family)
    train([TrainingJob(settings, folder / "model.safetensors", folder / "history.jsonl")], dataset)
    return folder / "model.safetensors"


def predicted(model: Path, dataset: Path) -> Path:
    predictions = model.with_name("predictions.h5")
    label(model, dataset, predictions, CPU)
    return predictions


def merged(predictions: list[Path], dataset: Path, folder: Path) -> Path:
    merge(dataset, predictions, folder / "augmented.h5", folder / "manifest.json")
    return folder / "augmented.h5"


def test_students_of_a_teacher_each_teach_a_second_generation_together(dataset, trained) -> None:
    """Each of them trained on labels of its own, all of them on one dataset."""
    students = []
    for seed in (0, 1):
        teacher = trained("teachers", seed, "reference", dataset)
        augmented = merged([predicted(teacher, dataset)], dataset, teacher.parent)
        students.append(trained("students", seed, "teacher", augmented))
    labels = merged([predicted(student, dataset) for student in students], dataset, dataset.parent)
    last = load_potential(trained("students2", 0, "teacher", labels)).metadata
    assert last["base_dataset_sha256"] == artefacts.verify(dataset)
    assert last["dataset_sha256"] == artefacts.verify(labels)
