"""Predictions of a real model, in slabs."""

import functools

import numpy as np
import pytest
import torch

from mlipkd import artefacts
from mlipkd.datasets import file as dataset_file
from mlipkd.datasets.slabs import slabs
from mlipkd.distillation.predict import label
from mlipkd.distillation.predictions import PredictionsFile
from mlipkd.errors import InputError
from mlipkd.hipnn.file import load_potential
from mlipkd.hipnn.prediction import predict
from mlipkd.testing import dataset_of, random_crystal, random_molecule


@pytest.mark.parametrize("random_configuration", [random_molecule, random_crystal])
def test_predictions_are_the_models(
    write_model, tmp_path, monkeypatch, random_configuration
) -> None:
    monkeypatch.setattr("mlipkd.distillation.predict.slabs", functools.partial(slabs, atoms=12))
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
