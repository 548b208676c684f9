"""Predictions of a real model, in memory batches."""

import functools

import numpy as np
import pytest
import torch

from mlipkd.datasets import file as dataset_file
from mlipkd.datasets.dataset import memory_batches
from mlipkd.distillation.predict import label
from mlipkd.distillation.predictions import PredictionsFile
from mlipkd.errors import InputError
from mlipkd.hipnn.file import load_potential
from mlipkd.hipnn.prediction import predict
from mlipkd.jobs import artefacts
from mlipkd.testing import dataset_of, random_crystal, random_molecule


@pytest.mark.parametrize("random_configuration", [random_molecule, random_crystal])
def test_predictions_are_the_models(
    write_model, tmp_path, monkeypatch, random_configuration
) -> None:
    monkeypatch.setattr(
        "mlipkd.distillation.predictions.memory_batches",
        functools.partial(memory_batches, atoms=12),
    )
    generator = np.random.default_rng(0)
    dataset = dataset_of(
        [random_configuration(generator, size) for size in (3, 8, 5, 14, 2)], energy=np.zeros(5)
    )
    dataset_file.write(dataset, tmp_path / "dataset.h5")
    model = write_model("model.safetensors", seed=4)
    label(model, tmp_path / "dataset.h5", tmp_path / "predictions.h5", torch.device("cpu"))

    quantities = ["energy", "forces", "atomic_energies"]
    quantities += ["stress"] if random_configuration is random_crystal else []
    with PredictionsFile(tmp_path / "predictions.h5") as predictions:
        assert predictions.quantities == quantities
        assert (predictions.family, predictions.seed) == ("teachers", 4)
        assert predictions.model_sha256 == artefacts.verify(model)
        for quantity, expected in predict(load_potential(model), dataset, quantities).items():
            found = predictions.read(quantity, slice(None))
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_an_unknown_element_leaves_nothing_behind(write_model, tmp_path) -> None:
    generator = np.random.default_rng(0)
    dataset = dataset_of([random_molecule(generator, 4, (16,))], energy=np.zeros(1))
    dataset_file.write(dataset, tmp_path / "dataset.h5")
    with pytest.raises(InputError, match="16"):
        label(
            write_model("model.safetensors"),
            tmp_path / "dataset.h5",
            tmp_path / "p.h5",
            torch.device("cpu"),
        )
    assert not list(tmp_path.glob("*p.h5*"))


def test_hessians_are_written_where_they_are_asked_for(write_model, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(
        "mlipkd.distillation.predictions.memory_batches",
        functools.partial(memory_batches, atoms=30),
    )
    generator = np.random.default_rng(0)
    molecules = [random_molecule(generator, size) for size in (3, 5, 4, 2)]
    dataset = dataset_of(molecules, energy=np.zeros(4))
    dataset_file.write(dataset, tmp_path / "dataset.h5")
    model = write_model("model.safetensors", seed=4)
    arguments = model, tmp_path / "dataset.h5", tmp_path / "predictions.h5", torch.device("cpu")
    label(*arguments, hessians=True)
    with PredictionsFile(tmp_path / "predictions.h5") as predictions:
        assert predictions.quantities == ["energy", "forces", "atomic_energies", "hessian"]
        found = predictions.read("hessian", slice(None))
    assert found.shape == (9 + 25 + 16 + 4, 3, 3)
    # The force on atom 2 of the second molecule, as atom 1 moves along x.
    numbers, positions, cell = molecules[1]
    moved = [positions.copy(), positions.copy()]
    for displaced, sign in zip(moved, (1, -1), strict=True):
        displaced[1, 0] += sign * 1e-2
    F = predict(
        load_potential(model),
        dataset_of([(numbers, displaced, cell) for displaced in moved]),
        ("forces",),
    )["forces"].reshape(2, 5, 3)
    expected = -(F[0, 2] - F[1, 2]) / 2e-2
    np.testing.assert_allclose(found[9 + 2 * 5 + 1, :, 0], expected, rtol=2e-2, atol=1e-3)


def test_hessians_of_a_crystal_are_refused(write_model, tmp_path) -> None:
    crystal = random_crystal(np.random.default_rng(0), 3, (1, 6))
    dataset_file.write(dataset_of([crystal], energy=np.zeros(1)), tmp_path / "dataset.h5")
    arguments = write_model("m.safetensors"), tmp_path / "dataset.h5", tmp_path / "p.h5"
    with pytest.raises(InputError, match="expected free molecules for Hessians, got 1"):
        label(*arguments, torch.device("cpu"), hessians=True)
    assert not list(tmp_path.glob("*p.h5*"))
