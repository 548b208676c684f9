"""Members that train together: each gets the weights that it gets alone with the same batches."""

import json

import numpy as np
import pytest
import torch

from mlipkd.datasets.dataset import TRAIN, memory_batches
from mlipkd.datasets.file import DatasetFile
from mlipkd.errors import InputError
from mlipkd.hipnn.file import load_potential
from mlipkd.hipnn.initial import fit_element_energies
from mlipkd.hipnn.network import HIPNN
from mlipkd.training import loop, members
from mlipkd.training.loop import TrainingJob, train
from mlipkd.training.members import initial_models, member_splits


def jobs(settings, folder, seeds, **changes) -> list[TrainingJob]:
    return [
        TrainingJob(
            settings(seed=seed, **changes), folder / f"{seed}.safetensors", folder / f"{seed}.jsonl"
        )
        for seed in seeds
    ]


def double(settings, epochs: int, **changes) -> dict:
    """A recipe in double precision, so that only mistakes can make a difference."""
    recipe = settings(epochs).recipe.model_dump()
    return recipe | {"precision": "float64"} | changes


def same_batches(monkeypatch) -> None:
    """Let every member shuffle as the first of three does."""
    generator = loop.epoch_generator
    monkeypatch.setattr(loop, "epoch_generator", lambda seed, epoch: generator(0, epoch))


@pytest.mark.parametrize("clip", [None, 1e-3])
def test_together_is_as_alone(settings, tiny_dataset, tmp_path, monkeypatch, clip) -> None:
    same_batches(monkeypatch)
    recipe = double(settings, epochs=4)
    recipe["optimiser"]["clip"] = clip
    train(jobs(settings, tmp_path / "together", (0, 1, 2), recipe=recipe), tiny_dataset)
    for seed in (0, 1, 2):
        (job,) = jobs(settings, tmp_path / "alone", (seed,), recipe=recipe)
        train([job], tiny_dataset)
        alone = load_potential(job.output)
        together = load_potential(tmp_path / "together" / f"{seed}.safetensors")
        for name, weights in alone.model.state_dict().items():
            found = together.model.state_dict()[name]
            torch.testing.assert_close(found, weights, rtol=1e-8, atol=1e-10, msg=name)
        assert together.metadata["training"]["together_with"] == [0, 1, 2]
        assert alone.metadata["training"]["together_with"] == []


def test_each_learns_from_its_own_configurations(settings, tiny_dataset, tmp_path) -> None:
    """With a split of its own, a member's errors leave the others' configurations out."""
    recipe = double(settings, epochs=1, split="per_seed")
    recipe["optimiser"]["learning_rate"] = 1e-300  # the weights stay what they are
    together = jobs(settings, tmp_path / "together", (0, 1), recipe=recipe)
    train(together, tiny_dataset)
    with DatasetFile(tiny_dataset) as file:
        first, second = member_splits([job.settings for job in together], file)
        assert not np.array_equal(first == TRAIN, second == TRAIN)
    for job in together:
        (alone,) = jobs(settings, tmp_path / "alone", (job.settings.seed,), recipe=recipe)
        train([alone], tiny_dataset)
        line, line_alone = (json.loads(one.history.read_text()) for one in (job, alone))
        for split in ("training", "validation"):
            for term, errors in line_alone[split].items():
                for measure, value in errors.items():
                    assert line[split][term][measure] == pytest.approx(value, rel=1e-9)


def test_element_energies_are_fitted_once_from_energies_alone(
    settings, tiny_dataset, tmp_path, monkeypatch
) -> None:
    """A few configurations at a time, to the bits of all at once."""
    fits = []

    def fit(model, parts) -> None:
        fits.append(list(parts))
        fit_element_energies(model, fits[-1])

    monkeypatch.setattr(members, "fit_element_energies", fit)
    monkeypatch.setattr(members, "memory_batches", lambda sizes: memory_batches(sizes, 10))
    given = [job.settings for job in jobs(settings, tmp_path, (0, 1, 2))]
    with DatasetFile(tiny_dataset) as file:
        models = initial_models(given, file, member_splits(given, file))
        (parts,) = fits
        assert sum(len(part) for part in parts) == 24 and len(parts) > 8
        assert all(part.labels.keys() == {"reference"} for part in parts)
        assert all(part.labels["reference"].keys() == {"energy"} for part in parts)
        whole = HIPNN(settings().architecture, file.species_present)
        fit_element_energies(whole, [file.read(np.flatnonzero(file.splits == TRAIN))])
    assert whole.E0.all()
    assert len(models) == 3 and all(torch.equal(model.E0, whole.E0) for model in models)


def test_each_stops_by_itself(settings, tiny_dataset, tmp_path, monkeypatch) -> None:
    """One that ends sooner is left behind; the others go on as if it had never been."""
    same_batches(monkeypatch)
    recipe = double(settings, epochs=40)
    recipe["optimiser"] = recipe["optimiser"] | {"stop_after": 3, "learning_rate": 0.02}
    train(jobs(settings, tmp_path / "together", (0, 1, 2), recipe=recipe), tiny_dataset)
    epochs = []
    for seed in (0, 1, 2):
        (job,) = jobs(settings, tmp_path / "alone", (seed,), recipe=recipe)
        train([job], tiny_dataset)
        alone = load_potential(job.output).metadata["training"]
        together = load_potential(tmp_path / "together" / f"{seed}.safetensors")
        record = together.metadata["training"]
        assert (record["epochs"], record["stopped"]) == (alone["epochs"], alone["stopped"])
        assert record["best_loss"] == pytest.approx(alone["best_loss"], rel=1e-5)
        lines = (tmp_path / "together" / f"{seed}.jsonl").read_text().splitlines()
        assert len(lines) == record["epochs"] == json.loads(lines[-1])["epoch"]
        epochs.append(record["epochs"])
    assert len(set(epochs)) > 1


def test_members_that_differ_by_more_than_the_seed_are_refused(
    settings, tiny_dataset, tmp_path
) -> None:
    first, _ = jobs(settings, tmp_path, (0, 1))
    (other,) = jobs(settings, tmp_path, (2,), epochs=9)
    with pytest.raises(InputError, match="differ by the seed alone"):
        train([first, other], tiny_dataset)
    assert not any(tmp_path.iterdir())
