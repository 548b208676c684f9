"""A dataset's size, and settings of a member that learns from it."""

import pytest

from mlipkd.config.recipe import Recipe
from mlipkd.config.settings import TrainSettings
from mlipkd.config.split import Split
from mlipkd.sizing.size import Size
from mlipkd.testing import small_shape

#: A thousand boxes of a hundred atoms, with n³ neighbours within n Å.
SIZE = Size(
    configurations=1000,
    atoms=100_000,
    largest=100,
    elements=2,
    mass=20.0,
    periodic=True,
    neighbours=tuple(float(radius**3) for radius in range(1, 13)),
    bytes=10_000_000,
)


def settings(
    epochs=10, batch=8, forces=False, split=None, seed=0, curvature=None, **shape
) -> TrainSettings:
    """Settings of one member; energies alone, 80 % to train on and to validate with."""
    terms = [{"quantity": q} for q in (["energy", "forces"] if forces else ["energy"])]
    if curvature:
        probes = {"kind": "rademacher"} if curvature == "hvp" else None
        terms.append({"quantity": curvature, "probes": probes})
    return TrainSettings(
        dataset="metal",
        family="teachers",
        seed=seed,
        architecture=small_shape(soft_max=3.0, hard_max=4.0, **shape),
        recipe=Recipe.model_validate(
            {
                "loss": [{"labels": "reference", "weight": 1, **term} for term in terms],
                "optimiser": {"epochs": epochs},
                "batch": {"configurations": batch},
            }
        ),
        split=split or Split(test=0.2, validation=0.1),
    )


@pytest.fixture
def size() -> Size:
    return SIZE
