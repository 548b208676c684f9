"""Training: seeds, schedules, early stopping, what it refuses."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from mlipkd.datasets import file as dataset_file
from mlipkd.datasets.dataset import TRAIN, VALIDATION, chosen_rows
from mlipkd.errors import InputError
from mlipkd.hipnn.file import load_potential
from mlipkd.hipnn.initial import fit_element_energies, initialise
from mlipkd.hipnn.network import HIPNN
from mlipkd.testing import dataset_of
from mlipkd.training.loop import TrainingJob, train


def run(settings, dataset, folder):
    """Train, and give the model and the lines of its history."""
    train([TrainingJob(settings, folder / "model.safetensors", folder / "history.jsonl")], dataset)
    lines = (folder / "history.jsonl").read_text().splitlines()
    return load_potential(folder / "model.safetensors"), [json.loads(line) for line in lines]


def same(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    pairs = zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    return all(torch.equal(x, y) for x, y in pairs)


def test_training_learns_and_leaves_its_last_state_behind(settings, tiny_dataset, tmp_path) -> None:
    potential, history = run(settings(epochs=40), tiny_dataset, tmp_path)
    assert history[-1]["validation_loss"] < 0.5 * history[0]["validation_loss"]
    assert [line["epoch"] for line in history] == list(range(1, 41))
    assert potential.metadata["training"]["configurations"] == {"training": 24, "validation": 8}
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "history.jsonl",
        "history.jsonl.partial",
        "history.jsonl.sha256",
        "model.safetensors",
        "model.safetensors.checkpoint",
        "model.safetensors.checkpoint.sha256",
        "model.safetensors.sha256",
    ]


def test_the_same_seed_gives_the_same_bits_and_another_does_not(
    settings, tiny_dataset, tmp_path
) -> None:
    first, _ = run(settings(), tiny_dataset, tmp_path / "a")
    again, _ = run(settings(), tiny_dataset, tmp_path / "b")
    other, _ = run(settings(seed=1), tiny_dataset, tmp_path / "c")
    assert same(first.model, again.model)
    assert not same(first.model, other.model)


def test_student_and_control_of_one_seed_start_from_identical_weights(settings) -> None:
    """Initial weights depend on architecture and seed, and on nothing a recipe could say."""
    student, control, other = (HIPNN(settings().architecture, (1, 6)) for _ in range(3))
    torch.rand(7)  # the global generator plays no part
    initialise(student, 4)
    torch.rand(13)
    initialise(control, 4)
    initialise(other, 5)
    assert same(student, control)
    assert not same(student, other)


def test_element_energies_are_the_least_squares_fit(settings) -> None:
    generator = np.random.default_rng(0)
    members = [
        (np.array([1] * h + [6] * c), generator.random((h + c, 3)) * 9, np.zeros((3, 3)))
        for h, c in ((1, 1), (2, 1), (4, 1), (2, 3))
    ]
    counts = np.array([[1, 1], [2, 1], [4, 1], [2, 3]])
    model = HIPNN(settings().architecture, (1, 6))
    fit_element_energies(model, [dataset_of(members, energy=counts @ [-13.6, -1030.0])])
    np.testing.assert_allclose(model.E0[0], [-13.6, -1030.0], rtol=1e-9)


def test_element_energies_of_a_single_molecule_stay_small(settings) -> None:
    """Compositions that do not tell elements apart: the solution of smallest norm."""
    members = [(np.array([1, 1, 6]), np.eye(3) * 3, np.zeros((3, 3)))] * 500
    energies = -1000 + np.random.default_rng(0).normal(0, 1, 500)
    model = HIPNN(settings().architecture, (1, 6))
    fit_element_energies(model, [dataset_of(members, energy=energies)])
    np.testing.assert_allclose(model.E0[0], energies.mean() * np.array([2, 1]) / 5, rtol=1e-9)


def test_patience_halves_the_rate_and_ends_training(settings, tiny_dataset, tmp_path) -> None:
    """With a rate of nearly zero nothing improves: halved after 2 epochs, over after 5."""
    recipe = settings().recipe.model_dump()
    recipe["optimiser"] = {
        "learning_rate": 1e-30,
        "halve_after": 2,
        "stop_after": 5,
        "epochs": 50,
    }
    potential, history = run(settings(recipe=recipe), tiny_dataset, tmp_path)
    assert [line["learning_rate"] for line in history] == [1e-30] * 3 + [5e-31] * 2 + [2.5e-31]
    assert potential.metadata["training"]["stopped"] == "no progress"
    assert potential.metadata["training"]["best_epoch"] == 1


def test_a_recipe_needs_its_labels(settings, tiny_dataset, tmp_path) -> None:
    recipe = settings().recipe.model_dump()
    recipe["loss"] = [{"quantity": "atomic_energies", "labels": "teacher", "weight": 1}]
    with pytest.raises(InputError, match="expected teacher labels of atomic_energies"):
        run(settings(recipe=recipe), tiny_dataset, tmp_path)
    assert not any(tmp_path.iterdir())


def test_weight_decay_is_the_derivative_of_the_l2_term(settings) -> None:
    """One step of Adam's update on w_L2 Σ|W|² alone, spelled out and as weight decay."""
    from mlipkd.training.loss import mixing_weights
    from mlipkd.training.members import Members

    recipe = settings().recipe.model_copy(
        update={"regularisation": settings().recipe.regularisation.model_copy(update={"l2": 0.3})}
    )
    decayed, spelled_out = (HIPNN(settings().architecture, (1, 6)) for _ in range(2))
    for model in (decayed, spelled_out):
        initialise(model, 0)
    members = Members([decayed], recipe)
    members.step([torch.full_like(weights, 0.1) for weights in members.model.parameters()])

    plain = torch.optim.Adam(spelled_out.parameters(), lr=recipe.optimiser.learning_rate)
    (0.3 * sum(weights.square().sum() for weights in mixing_weights(spelled_out))).backward()
    for weights in spelled_out.parameters():
        weights.grad = (torch.zeros_like(weights) if weights.grad is None else weights.grad) + 0.1
    plain.step()
    for one, other in zip(members.model.parameters(), spelled_out.parameters(), strict=True):
        torch.testing.assert_close(one, other)


def test_number_of_weights(settings) -> None:
    """Counted by hand: what L2 covers, and all."""
    from mlipkd.config.model import Architecture
    from mlipkd.training.loss import mixing_weights

    common = {"soft_min": 1.5, "soft_max": 7.0, "hard_max": 7.5}
    for shape, species, total, covered in (
        ((1, 1, 4, 128, 40), (13,), 154_450, 152_832),
        ((1, 1, 4, 32, 16), (13,), 10_210, 9_792),
        ((2, 2, 4, 128, 20), (1, 6, 7, 8), 653_654, 650_240),
    ):
        names = ("n_interactions", "l_max", "atom_layers", "width", "sensitivities")
        architecture = Architecture(**dict(zip(names, shape, strict=True)), **common)
        model = HIPNN(architecture, species)
        assert sum(tensor.numel() for tensor in model.state_dict().values()) == total
        assert sum(tensor.numel() for tensor in mixing_weights(model)) == covered


@pytest.fixture
def taught(tiny_dataset, tmp_path):
    """A function that gives the dataset a teacher's forces, with those of some configurations
    changed."""

    def make(configurations, value) -> Path:
        dataset = dataset_file.read(tiny_dataset)
        forces = dataset.labels["reference"]["forces"].copy()
        forces[chosen_rows(dataset.offsets, np.array(configurations, int))] = value
        dataset.labels["teacher"] = {"forces": forces}
        path = tmp_path / f"{value}.h5"
        dataset_file.write(dataset, path)
        return path

    return make


TAUGHT = {
    "loss": [
        {"quantity": "energy", "labels": "reference", "weight": 1},
        {"quantity": "forces", "labels": "teacher", "weight": 5},
    ],
    "batch": {"configurations": 6},
    "optimiser": {"learning_rate": 0.01, "epochs": 3},
}


def test_missing_labels_of_a_teacher_have_no_part_in_training(settings, taught, tmp_path) -> None:
    """0, 3 and 5 are trained on, 2 is validated with: missing labels count for nothing, and so
    training differs from one where they are there."""
    some = settings(recipe=TAUGHT)
    student, history = run(some, taught([0, 2, 3, 5], np.nan), tmp_path / "a")
    assert all(np.isfinite(line["validation_loss"]) for line in history)
    assert all(value.isfinite().all() for value in student.model.state_dict().values())
    all_there, _ = run(some, taught([], np.nan), tmp_path / "b")
    assert not same(student.model, all_there.model)


@pytest.mark.parametrize(("split", "name"), [(TRAIN, "training"), (VALIDATION, "validation")])
def test_a_split_without_any_label_of_a_term_is_refused(
    settings, taught, tiny_dataset, tmp_path, split, name
) -> None:
    missing = np.flatnonzero(dataset_file.read(tiny_dataset).splits == split)
    message = f"expected teacher labels of forces in the {name} split, got none but missing ones"
    with pytest.raises(InputError, match=message):
        run(settings(recipe=TAUGHT), taught(missing, np.nan), tmp_path)
