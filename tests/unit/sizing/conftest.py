"""A dataset's size, settings of a member that learns from it, and jobs about them."""

import pytest

from mlipkd.campaign.settings import DatasetSettings, EvaluationSettings
from mlipkd.config.recipe import Recipe
from mlipkd.config.settings import TrainSettings
from mlipkd.config.split import Split
from mlipkd.datasets.size import Size
from mlipkd.paths import DatasetPaths, ModelPaths, Paths
from mlipkd.sizing.work import Job
from tests.models import small_shape

#: A thousand boxes of a hundred atoms, with n³ neighbours within n Å.
SIZE = Size(
    configurations=1000,
    atoms=100_000,
    largest=100,
    elements=2,
    periodic=True,
    neighbours=tuple(float(radius**3) for radius in range(1, 13)),
    bytes=10_000_000,
)
METAL = DatasetPaths("metal")
MODEL = ModelPaths("metal", "teachers", "m")
SOURCE = {"reader": "aluminium-emt"}


def settings(
    epochs=10,
    batch=8,
    forces=False,
    split=None,
    seed=0,
    curvature=None,
    labels="reference",
    **shape,
) -> TrainSettings:
    """Settings of one member; energies alone, 80 % to train on and to validate with."""
    terms = [{"quantity": q} for q in (["energy", "forces"] if forces else ["energy"])]
    if curvature:
        probes = {"kind": "rademacher"} if curvature == "hvp" else None
        terms.append({"quantity": curvature, "probes": probes, "labels": labels})
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


def members(number: int, **changes) -> list[TrainSettings]:
    """Settings of members that differ by their seed."""
    return [settings(seed=seed, **changes) for seed in range(number)]


def job(
    size: Size,
    *trained: TrainSettings,
    about: Paths = MODEL,
    source: dict = SOURCE,
    split: Split | None = None,
    epochs: int | None = None,
    **sections: dict,
) -> Job:
    """A job about members of a model, in a campaign with some evaluations."""
    made = DatasetSettings.model_validate({"name": "metal", "source": source, "split": split or {}})
    known = {METAL.settings: made}
    known |= {MODEL.member(member.seed).settings: member for member in trained}
    for name, section in sections.items():
        known[METAL.settings_of(name)] = EvaluationSettings.model_validate({name: section})
    made_job = Job(about, known, epochs=epochs)
    made_job.size = size
    return made_job


@pytest.fixture
def size() -> Size:
    return SIZE
