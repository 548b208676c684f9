"""Models of one dataset, asked about another."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mlipkd.config.model import Architecture
from mlipkd.datasets.dataset import TRAIN, Dataset
from mlipkd.datasets.file import DatasetFile, write
from mlipkd.errors import InputError
from mlipkd.hipnn.file import Potential, load_potential, save_potential, transferred
from mlipkd.hipnn.initial import initialise
from mlipkd.hipnn.network import HIPNN


@pytest.fixture
def potential() -> Potential:
    shape = Architecture(
        n_interactions=1, l_max=1, atom_layers=1, width=4, sensitivities=3, soft_min=0.8,
        soft_max=3.0, hard_max=4.0,
    )  # fmt: skip
    model = HIPNN(shape, [1, 8])
    initialise(model, 0)
    metadata = {
        "dataset": "cold", "family": "own", "model": shape.name, "seed": 3,
        "architecture": shape.model_dump(), "species": [1, 8],
    }  # fmt: skip
    return Potential(model, metadata)


@pytest.fixture
def hot() -> Dataset:
    return Dataset(
        name="hot",
        species=np.array([8, 1, 1], np.uint8),
        positions=np.eye(3),
        offsets=np.array([0, 3]),
        cells=np.zeros((1, 3, 3)),
        periodic=np.zeros((1, 3), bool),
        groups=np.zeros(1, np.int64),
        splits=np.array([TRAIN], np.uint8),
        labels={"reference": {"energy": np.zeros(1)}},
        provenance={},
    )


def test_weights_stay_and_the_record_tells_both_datasets(potential, hot, tmp_path) -> None:
    write(hot, tmp_path / "hot.h5")
    with DatasetFile(tmp_path / "hot.h5") as file:
        found = transferred(potential, file, "of_cold")
    save_potential(found, tmp_path / "model.safetensors")
    again = load_potential(tmp_path / "model.safetensors")
    assert (again.metadata["dataset"], again.metadata["family"]) == ("hot", "of_cold")
    assert again.metadata["transferred_from"] == {"dataset": "cold", "family": "own"}
    assert again.metadata["seed"] == 3
    for key, value in potential.model.state_dict().items():
        torch.testing.assert_close(again.model.state_dict()[key], value, rtol=0, atol=0)


def test_species_that_it_never_saw_are_refused(potential, hot, tmp_path) -> None:
    write(replace(hot, species=np.array([8, 6, 1], np.uint8)), tmp_path / "hot.h5")
    with (
        DatasetFile(tmp_path / "hot.h5") as file,
        pytest.raises(InputError, match="that cold/own was trained on, got C besides"),
    ):
        transferred(potential, file, "of_cold")
