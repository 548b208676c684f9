"""A tiny dataset and recipes on it."""

from pathlib import Path

import numpy as np
import pytest

from mlipkd.config.load import parse_section
from mlipkd.config.settings import TrainSettings
from mlipkd.datasets.dataset import TEST, TRAIN, VALIDATION
from mlipkd.datasets.file import write
from mlipkd.testing import dataset_of, random_molecule


@pytest.fixture(scope="session")
def tiny_dataset(tmp_path_factory) -> Path:
    """40 molecules of 3 to 6 atoms with energies and forces of a pair potential."""
    generator = np.random.default_rng(0)
    members = [random_molecule(generator, 3 + m % 4, (1, 6)) for m in range(40)]
    labels = [pair_potential(positions) for _, positions, _ in members]
    dataset = dataset_of(
        members,
        energy=np.array([energy for energy, _ in labels]),
        forces=np.concatenate([forces for _, forces in labels]),
    )
    dataset.splits[:] = np.resize([TRAIN, TRAIN, VALIDATION, TRAIN, TEST], 40)
    path = tmp_path_factory.mktemp("data") / "dataset.h5"
    write(dataset, path)
    return path


def pair_potential(positions: np.ndarray) -> tuple[float, np.ndarray]:
    """Σ exp(-r) over pairs, and its forces."""
    vectors = positions[None] - positions[:, None]  # (atoms, atoms, 3)
    distances = np.linalg.norm(vectors, axis=-1) + np.eye(len(positions)) * 1e9
    energy = np.exp(-distances).sum() / 2
    forces = -(np.exp(-distances) / distances)[..., None] * vectors
    return float(energy), forces.sum(1)


@pytest.fixture
def settings():
    """Makes the settings of one member."""

    def make(epochs: int = 3, **changes) -> TrainSettings:
        content = {
            "dataset": "test",
            "family": "teachers",
            "seed": 0,
            "architecture": {
                "n_interactions": 1,
                "l_max": 1,
                "atom_layers": 1,
                "width": 6,
                "sensitivities": 5,
                "soft_min": 0.8,
                "soft_max": 3.5,
                "hard_max": 4.5,
            },
            "recipe": {
                "loss": [
                    {"quantity": "energy", "labels": "reference", "weight": 1},
                    {"quantity": "forces", "labels": "reference", "weight": {1: 5, 3: 1}},
                ],
                "batch": {"configurations": 6},
                "optimiser": {
                    "learning_rate": 0.01,
                    "epochs": epochs,
                    "halve_after": 20,
                    "stop_after": 100,
                },
            },
            "split": {},
        }
        return parse_section(TrainSettings, content | changes, "test")

    return make
