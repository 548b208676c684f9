"""A repulsion in training: where the data end, beads repel each other all the same."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from ase.units import kB

from mlipkd.config.model import Repulsion
from mlipkd.config.recipe import BatchSize
from mlipkd.datasets.dataset import TRAIN, VALIDATION
from mlipkd.datasets.file import write
from mlipkd.hipnn.file import Potential, load_potential
from mlipkd.hipnn.prediction import predict
from mlipkd.testing import dataset_of
from mlipkd.training.loop import TrainingJob, train

TEMPERATURE = 300.0
DEPTH, STIFFNESS, MINIMUM = 4 * kB * TEMPERATURE, 1.6, 4.0  # eV, 1/Å, Å
NUMBER = 1200


@dataclass
class Beads:
    """Pairs of beads in a Morse potential, as often at a distance as the temperature says."""

    path: Path
    closest: float


@pytest.fixture(scope="module")
def beads(tmp_path_factory) -> Beads:
    generator = np.random.default_rng(0)
    r = 7 * generator.random(50 * NUMBER) ** (1 / 3)
    energy = DEPTH * ((1 - np.exp(-STIFFNESS * (r - MINIMUM))) ** 2 - 1)
    likely = np.exp(-(energy + DEPTH) / (kB * TEMPERATURE))
    r = r[generator.random(len(r)) < likely][:NUMBER]
    assert len(r) == NUMBER
    forces = np.zeros((NUMBER, 2, 3))
    forces[:, 0, 0], forces[:, 1, 0] = slope_at(r), -slope_at(r)
    dataset = dataset_of(pairs_at(r), forces=forces.reshape(-1, 3))
    dataset.splits[:] = np.resize([TRAIN, TRAIN, TRAIN, VALIDATION], NUMBER)
    path = tmp_path_factory.mktemp("beads") / "dataset.h5"
    write(dataset, path)
    return Beads(path, r[dataset.splits == TRAIN].min())


def slope_at(r: np.ndarray) -> np.ndarray:
    """dE/dr, eV/Å."""
    decay = np.exp(-STIFFNESS * (r - MINIMUM))
    return 2 * DEPTH * STIFFNESS * decay * (1 - decay)


def pairs_at(distances) -> list:
    return [
        (np.array([1, 2]), np.array([[0, 0, 0], [r, 0, 0]]), np.zeros((3, 3))) for r in distances
    ]


@pytest.fixture
def settings_of(settings):
    """Makes the settings of a member with or without the repulsion."""

    def make(repulsion: bool, epochs: int, seed: int = 0):
        made = settings(epochs, seed=seed)
        section = Repulsion(temperature=TEMPERATURE) if repulsion else None
        distances = {"soft_min": 2.0, "soft_max": 7.0, "hard_max": 8.0, "l_max": 0}
        shape = made.architecture.model_copy(update={"repulsion": section, **distances})
        recipe = made.recipe.model_copy(
            update={"loss": made.recipe.loss[1:], "batch": BatchSize(configurations=40)}
        )
        return made.model_copy(update={"architecture": shape, "recipe": recipe})

    return make


def trained(settings, dataset: Path, folder: Path) -> Potential:
    train([TrainingJob(settings, folder / "model.safetensors", folder / "history.jsonl")], dataset)
    return load_potential(folder / "model.safetensors")


def pull_of(potential: Potential, distances: np.ndarray) -> np.ndarray:
    """The force that drives two beads apart, at each distance."""
    return predict(potential, dataset_of(pairs_at(distances)), ("forces",))["forces"][1::2, 0]


def test_network_and_walls_say_what_was_taught_and_beyond_beads_repel_each_other(
    beads, settings_of, tmp_path
) -> None:
    """More the closer they are, from the closest distance of the data down to 0.5 Å."""
    potential = trained(settings_of(True, 20), beads.path, tmp_path / "with")
    taught = np.array([MINIMUM - 0.3, MINIMUM, MINIMUM + 0.5])
    truth = -slope_at(taught)
    np.testing.assert_allclose(pull_of(potential, taught), truth, atol=0.25 * truth.max())
    inward = np.arange(beads.closest, 0.5, -0.05)
    force = pull_of(potential, inward)
    assert force[0] > 0 and (np.diff(force) > 0).all() and force[-1] > 10


def test_without_walls_beads_go_through_each_other(beads, settings_of, tmp_path) -> None:
    """Which is why there are walls."""
    potential = trained(settings_of(False, 2), beads.path, tmp_path)
    assert potential.model.repulsion is None
    inward = np.arange(beads.closest, 0.5, -0.05)
    assert pull_of(potential, inward).max() < 1


def test_members_together_have_the_walls_of_each_alone(beads, settings_of, tmp_path) -> None:
    jobs = [
        TrainingJob(
            settings_of(True, 1, seed), tmp_path / f"{seed}.safetensors", tmp_path / f"{seed}.json"
        )
        for seed in (0, 1)
    ]
    train(jobs, beads.path)
    alone = trained(jobs[1].settings, beads.path, tmp_path / "alone")
    walls = [load_potential(job.output).model.repulsion.walls for job in jobs]
    assert all(one.equal(alone.model.repulsion.walls) for one in walls)
    assert walls[0][0, 0, 1].min() > 0
