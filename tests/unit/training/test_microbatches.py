"""Microbatches: the gradients of the whole, and what becomes of a lack of memory."""

import pytest
import torch

from mlipkd.config.recipe import LossTerm
from mlipkd.datasets.file import DatasetFile
from mlipkd.errors import InputError
from mlipkd.hipnn.file import load_potential
from mlipkd.hipnn.initial import initialise
from mlipkd.hipnn.network import HIPNN
from mlipkd.training import loop
from mlipkd.training.data import Microbatch, TrainingData
from mlipkd.training.loop import TrainingJob, train
from mlipkd.training.microbatches import compare, differentiate

TERMS = [
    LossTerm(quantity="energy_per_atom", labels="reference", weight=1),
    LossTerm(quantity="forces", labels="reference", weight=1),
]


@pytest.fixture
def mini_batch(tiny_dataset):
    """Ten configurations in float64."""
    with DatasetFile(tiny_dataset) as file:
        data = TrainingData(file, torch.arange(10).numpy(), TERMS, 4.5, torch.float64)
        (mini_batch,) = data.batches(10)
    return mini_batch


@pytest.fixture
def members(settings):
    """Two members in float64."""
    models = [HIPNN(settings().architecture, (1, 6)).double() for _ in range(2)]
    for seed, model in enumerate(models):
        initialise(model, seed)
    return HIPNN.ensemble(models).requires_grad_()


@pytest.mark.parametrize("shared", [True, False], ids=["all learn from all", "each from some"])
@pytest.mark.parametrize("number", [2, 3, 10])
def test_gradients_of_microbatches_add_up_to_those_of_the_whole(
    mini_batch, members, shared, number
):
    mask = torch.rand(2, 10, generator=torch.Generator().manual_seed(1)) < 0.7

    def parts(number: int) -> list[Microbatch]:
        return [
            part.of_members(None if shared else mask) for part in mini_batch.microbatches(number)
        ]

    arguments = TERMS, [1.0, 7.0], 0.01
    whole, residuals = differentiate(members, parts(1), *arguments)
    found, others = differentiate(members, parts(number), *arguments)
    for one, other in zip(whole, found, strict=True):
        torch.testing.assert_close(other, one, rtol=1e-9, atol=1e-12)
    # The gradients of each one's own loss would not: Err is not a sum over configurations.
    separate = [differentiate(members, [part], *arguments)[0] for part in parts(number)]
    sums = [torch.stack(same).mean(0) for same in zip(*separate, strict=True)]
    pairs = zip(whole, sums, strict=True)
    assert any(not torch.allclose(one, other, rtol=1e-3) for one, other in pairs)
    compared_again = compare(members, parts(number), TERMS)
    for one, other, third in zip(residuals, others, compared_again, strict=True):
        torch.testing.assert_close(one.errors(), other.errors())
        torch.testing.assert_close(one.errors(), third.errors())


@pytest.fixture
def memory(monkeypatch):
    """A function that lets the memory hold so many configurations at a time."""
    largest = []

    def holds(configurations: int) -> list[int]:
        def within(work):
            def run(model, parts, *arguments):
                largest.append(max(len(part.batch.sizes) for part in parts))
                if largest[-1] > configurations:
                    raise torch.OutOfMemoryError("the test's memory is full")
                return work(model, parts, *arguments)

            return run

        for name in ("differentiate", "compare"):
            monkeypatch.setattr(loop, name, within(getattr(loop, name)))
        return largest

    return holds


def trained(settings, dataset, folder):
    train([TrainingJob(settings, folder / "model.safetensors", folder / "history.jsonl")], dataset)
    return load_potential(folder / "model.safetensors")


def test_training_goes_on_in_microbatches(settings, tiny_dataset, tmp_path, memory, capfd):
    recipe = settings(epochs=4).recipe.model_dump() | {"precision": "float64"}
    expected = trained(settings(recipe=recipe), tiny_dataset, tmp_path / "whole")
    largest = memory(2)
    found = trained(settings(recipe=recipe), tiny_dataset, tmp_path / "parts")
    assert largest[:3] == [6, 3, 2] and set(largest[2:]) <= {1, 2}
    assert found.metadata["training"]["out_of_memory_in_epochs"] == [1, 1]
    assert expected.metadata["training"]["out_of_memory_in_epochs"] == []
    assert "computed in 4 parts from now on" in capfd.readouterr().err
    for name, weights in expected.model.state_dict().items():
        torch.testing.assert_close(found.model.state_dict()[name], weights, rtol=1e-7, atol=1e-9)


def test_a_configuration_that_does_not_fit_is_refused(settings, tiny_dataset, tmp_path, memory):
    memory(0)
    with pytest.raises(InputError, match="one configuration alone does not fit"):
        trained(settings(), tiny_dataset, tmp_path)
    assert not (tmp_path / "model.safetensors").exists()
