"""Prediction where memory is short."""

import numpy as np
import pytest
import torch

from mlipkd.errors import InputError
from mlipkd.hipnn import prediction
from mlipkd.hipnn.file import load_potential
from mlipkd.hipnn.prediction import predict
from mlipkd.testing import dataset_of, random_crystal, random_molecule


@pytest.fixture
def memory(monkeypatch):
    """A function that lets the memory hold so many configurations at a time."""

    def holds(configurations: int) -> list[int]:
        evaluate, sizes = prediction.evaluate, []

        def within(model, batch, quantities):
            sizes.append(len(batch.sizes))
            if sizes[-1] > configurations:
                raise torch.OutOfMemoryError("the test's memory is full")
            return evaluate(model, batch, quantities)

        monkeypatch.setattr(prediction, "evaluate", within)
        return sizes

    return holds


def test_two_atoms_at_one_place_are_refused(write_model) -> None:
    """Over periodic boundaries, too, and whatever is predicted."""
    potential = load_potential(write_model("m.safetensors", species=(1, 6)))
    generator = np.random.default_rng(0)
    good, bad = (random_crystal(generator, 5, (1, 6)) for _ in range(2))
    bad[1][3] = bad[1][1] + bad[2][0]
    with pytest.raises(InputError, match=r"configuration 1: .* atoms 1 and 3 .* at one place"):
        predict(potential, dataset_of([good, bad]), ["energy"])


def test_batches_are_halved(write_model, memory, capfd):
    potential = load_potential(write_model("m.safetensors", species=(1, 6)))
    generator = np.random.default_rng(0)
    dataset = dataset_of([random_molecule(generator, 3 + m % 4, (1, 6)) for m in range(9)])
    wanted = predict(potential, dataset)
    sizes = memory(3)
    found = predict(potential, dataset)
    assert sizes == [9, 5, 3, 2, 4, 2, 2]
    assert "out of memory: 9 configurations are divided in two" in capfd.readouterr().err
    for name, values in wanted.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-5, atol=1e-5)
    memory(0)
    with pytest.raises(InputError, match="one configuration alone does not fit"):
        predict(potential, dataset)
