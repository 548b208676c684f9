"""Learning: what of a history becomes rows, and that it is the model's own."""

import json

import pytest

from mlipkd.errors import InputError
from mlipkd.evaluation.core.rows import Row
from mlipkd.evaluation.learning import evaluate_learning
from mlipkd.hipnn.file import Potential, load_potential, save_potential
from mlipkd.jobs import artefacts


@pytest.fixture
def member_of(write_model, tmp_path):
    """A function that makes a member that trained for some epochs, and gives its model file."""
    plain = load_potential(write_model(tmp_path / "plain.safetensors"))

    def made(epochs: int, seed: int = 0, best: float = 1.0):
        lines = [
            {
                "epoch": epoch,
                "validation_loss": 1 / epoch,
                "training": {"reference forces": {"rmse": 2 / epoch, "mae": 0.1}},
                "validation": {
                    "reference energy": {"rmse": 3 / epoch, "mae": 0.1},
                    "reference forces": {"rmse": 4 / epoch, "mae": 0.1},
                    "teacher atomic_energies": {"rmse": 5 / epoch, "mae": 0.1},
                },
            }
            for epoch in range(1, epochs + 1)
        ]
        folder = tmp_path / f"seed{seed}"
        text = "".join(json.dumps(line) + "\n" for line in lines)
        artefacts.write_text(folder / "history.jsonl", text)
        own = {"dataset": "al", "family": "students", "model": "m", "seed": seed}
        training = {"best_epoch": epochs, "best_loss": best / epochs}
        potential = Potential(plain.model, {**plain.metadata, **own, "training": training})
        save_potential(potential, folder / "model.safetensors")
        return folder / "model.safetensors"

    return made


def test_rows_are_the_errors_of_reference_labels(member_of) -> None:
    path = member_of(epochs=2)
    size = sum(tensor.numel() for tensor in load_potential(path).model.state_dict().values())
    rows, _ = evaluate_learning([path])
    who = ("al", "students", "m", 0)
    assert rows == [
        Row(*who, "weights", size, "1"),
        Row(*who, "forces_rmse", 2.0, "eV/Å", "training", "epoch", 1),
        Row(*who, "energy_rmse", 3.0, "eV", "validation", "epoch", 1),
        Row(*who, "forces_rmse", 4.0, "eV/Å", "validation", "epoch", 1),
        Row(*who, "forces_rmse", 1.0, "eV/Å", "training", "epoch", 2),
        Row(*who, "energy_rmse", 1.5, "eV", "validation", "epoch", 2),
        Row(*who, "forces_rmse", 2.0, "eV/Å", "validation", "epoch", 2),
    ]


def test_long_histories_are_thinned_to_common_epochs(member_of) -> None:
    rows, _ = evaluate_learning([member_of(991, seed=0), member_of(500, seed=1)])
    epochs = {
        seed: [
            row.at
            for row in rows
            if (row.seed, row.subset, row.metric) == (seed, "validation", "forces_rmse")
        ]
        for seed in (0, 1)
    }
    assert epochs[0] == list(range(1, 992, 10))
    assert epochs[1] == [*range(1, 500, 10), 500]


def test_rows_stand_on_models_and_histories(member_of) -> None:
    path = member_of(2)
    _, sources = evaluate_learning([path])
    history = path.with_name("history.jsonl")
    assert [(s.file, s.sha256) for s in sources] == [
        (str(file), artefacts.sha256(file)) for file in (path, history)
    ]
    assert sources[0].made_by == sources[1].made_by


def test_the_history_of_another_training(member_of) -> None:
    path = member_of(2, best=0.9)
    with pytest.raises(InputError, match=r"without its validation loss of 0\.45 in epoch 2"):
        evaluate_learning([path])


def test_a_history_that_was_changed(member_of) -> None:
    path = member_of(2)
    with open(path.with_name("history.jsonl"), "a") as file:
        file.write("\n")
    with pytest.raises(InputError, match=r"history\.jsonl: expected SHA-256"):
        evaluate_learning([path])
