"""Fixtures that all tests share."""

import json
import os
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
import yaml

from mlipkd.datasets.file import DatasetFile
from mlipkd.distillation import predictions
from mlipkd.hipnn.file import Potential, save_potential
from mlipkd.hipnn.initial import initialise
from mlipkd.hipnn.network import HIPNN
from mlipkd.jobs import artefacts, provenance
from tests.counting import inject, pytest_addoption  # noqa: F401
from tests.models import small_shape

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def sound_floating_point_unit():
    """Kernels leave the x87 unit as it was; what MMX leaves in it turns the next results to NaN."""
    yield
    assert np.isfinite(np.longdouble(1) / np.longdouble(3))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets, which are not part of the repository."""
    root = Path(__file__).resolve().parent.parent
    folder = Path(os.environ.get("MLIPKD_DATA", root.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"needs the data sets of {folder}; set MLIPKD_DATA to their folder")
    return folder


@pytest.fixture
def write_predictions(tmp_path):
    """A function that writes predictions of a dataset file as a member with given values would."""

    def write(name: str, dataset, values: dict, seed: int, **other) -> Path:
        member = {"family": "teachers", "model": "m", "seed": seed, "dataset_sha256": "d", **other}
        path = tmp_path / name
        with DatasetFile(dataset) as labelled, artefacts.writing(path) as temporary:
            record = {
                "member": member,
                "model_file": f"seed{seed}/model.safetensors",
                "model_sha256": f"{seed:064d}",
                "dataset": labelled.name,
                "dataset_sha256": labelled.sha256,
                "quantities": list(values),
            }
            with h5py.File(temporary, "w") as file:
                file.attrs["format"] = predictions.FORMAT
                file.attrs["record"] = json.dumps(record)
                for quantity, array in values.items():
                    predictions.create(file, quantity, labelled.offsets)[...] = array
        return path

    return write


@pytest.fixture
def write_model(tmp_path):
    """A function that writes an untrained model of a small shape, changed as said."""

    def write(name: str, family="teachers", seed=0, species=(1, 6, 7, 8, 13), **shape) -> Path:
        architecture = small_shape(**{"hard_max": 4.0, **shape})
        network = HIPNN(architecture, species)
        initialise(network, seed)
        metadata = {
            **provenance.record(),
            "dataset": "test",
            "dataset_sha256": "d",
            "family": family,
            "model": architecture.name,
            "seed": seed,
            "architecture": architecture.model_dump(),
            "species": list(species),
        }
        save_potential(Potential(network, metadata), tmp_path / name)
        return tmp_path / name

    return write


@pytest.fixture
def write_module(tmp_path, monkeypatch):
    """A function that writes a user's module where Python finds it."""

    def write(name: str, text: str) -> Path:
        folder = tmp_path / "modules"
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.py").write_text(text)
        monkeypatch.syspath_prepend(folder)
        monkeypatch.delitem(sys.modules, name, raising=False)
        return folder / f"{name}.py"

    return write


@pytest.fixture
def write_calculator(tmp_path):
    """A function that writes the settings of a calculator, EMT if nothing else is said."""

    def write(type="ase.calculators.emt:EMT", options=None, name="settings.yaml") -> Path:
        calculator = {"type": type, "options": options or {}}
        content = {"dataset": "test", "family": "oracle", "calculator": calculator}
        path = tmp_path / name
        path.write_text(yaml.safe_dump(content))
        return path

    return write
