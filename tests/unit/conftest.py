"""A small campaign, and datasets of a molecule whose labels are known: atoms on springs."""

import numpy as np
import pytest

from mlipkd.testing import dataset_of
from tests.springs import REST, SPECIES, spring_hessian, spring_labels


@pytest.fixture
def springs():
    """Forty water molecules, each turned and moved, atoms 0.05 Å from their places."""
    rng = np.random.default_rng(5)
    configurations, labels = [], []
    for _ in range(40):
        turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        turn *= np.linalg.det(turn)
        positions = (REST + rng.normal(scale=0.05, size=REST.shape)) @ turn + rng.normal(size=3)
        configurations.append((SPECIES, positions, np.zeros((3, 3))))
        labels.append(spring_labels(positions))
    return dataset_of(
        configurations,
        energy=np.array([energy for energy, _ in labels]),
        forces=np.concatenate([forces for _, forces in labels]),
    )


@pytest.fixture
def curved(springs):
    """The same with Hessians."""
    frames = springs.positions.reshape(-1, 3, 3)
    blocks = [spring_hessian(own).reshape(3, 3, 3, 3).swapaxes(1, 2) for own in frames]
    springs.labels["reference"]["hessian"] = np.concatenate(blocks).reshape(-1, 3, 3)
    return springs


@pytest.fixture
def content() -> dict:
    """A campaign as YAML gives it: teachers and one student of each shape."""
    return {
        "recipes": {
            "energies": {
                "loss": [{"quantity": "energy", "labels": "reference", "weight": 1}],
                "batch": {"configurations": 2},
            },
            "distil": {
                "loss": [{"quantity": "forces", "labels": "teacher", "weight": {1: 10, 20: 9}}],
                "batch": {"pairs": 100},
            },
        },
        "datasets": {
            "metal": {
                "source": {"reader": "aluminium-emt"},
                "model": {
                    "n_interactions": 1,
                    "l_max": 0,
                    "atom_layers": 2,
                    "width": 8,
                    "sensitivities": 4,
                    "soft_min": 1,
                    "soft_max": 3,
                    "hard_max": 4,
                },
                "families": {
                    "teachers": {"recipe": "energies", "seeds": 8},
                    "students": {
                        "recipe": "distil",
                        "learns_from": "teachers",
                        "model": {"width": [4, 8]},
                    },
                },
            }
        },
    }
