"""The smallest campaign, for tests that change one thing in it."""

import pytest


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
