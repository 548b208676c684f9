"""Model files: what goes in comes out; what is not sound is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from ase import Atoms
from safetensors.torch import load_file, save_file

from mlipkd.config.model import Architecture
from mlipkd.deploy.ase import MLIPKD
from mlipkd.errors import InputError
from mlipkd.hipnn.file import Potential, load_members, load_potential, save_potential
from mlipkd.hipnn.initial import initialise
from mlipkd.hipnn.network import HIPNN
from mlipkd.hipnn.prediction import predict
from mlipkd.jobs.artefacts import sidecar
from mlipkd.testing import dataset_of, random_crystal
from tests.models import CPU_ENGINES

REFERENCES = Path(__file__).parents[2] / "references"


@pytest.fixture
def potential() -> Potential:
    shape = Architecture(
        n_interactions=2,
        l_max=2,
        atom_layers=1,
        width=5,
        sensitivities=4,
        soft_min=1,
        soft_max=4,
        hard_max=5,
    )
    model = HIPNN(shape, (6, 13))
    initialise(model, 0)
    model.E0.copy_(torch.tensor([-1030.123456789, -6598.987654321], dtype=torch.float64))
    return Potential(model, {"architecture": shape.model_dump(), "species": [6, 13]})


@pytest.fixture
def path(potential, tmp_path):
    save_potential(potential, tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def test_a_file_holds_the_model(potential, path) -> None:
    loaded = load_potential(path)
    assert loaded.model.E0.dtype == torch.float64
    for key, value in potential.model.state_dict().items():
        assert torch.equal(loaded.model.state_dict()[key], value)


def test_the_ase_calculator_gives_the_models_numbers(potential, path) -> None:
    numbers, positions, cell = random_crystal(np.random.default_rng(0), 6, (6, 13), side=5.0)
    found = predict(potential, dataset_of([(numbers, positions, cell)]))
    atoms = Atoms(numbers, positions, cell=cell, pbc=True, calculator=MLIPKD(path))
    assert atoms.get_potential_energy() == pytest.approx(found["energy"][0], abs=1e-5)
    np.testing.assert_allclose(atoms.get_forces(), found["forces"], atol=1e-5)
    np.testing.assert_allclose(atoms.get_stress(voigt=False), found["stress"][0], atol=1e-6)
    energies = found["atomic_energies"]
    np.testing.assert_allclose(atoms.get_potential_energies(), energies, atol=1e-5)


def test_damage_is_noticed(path) -> None:
    content = bytearray(path.read_bytes())
    content[-3] ^= 4
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"model\.safetensors: .* damaged after it was written"):
        load_potential(path)
    path.write_bytes(content[:-100])
    with pytest.raises(InputError, match=r"model\.safetensors: expected a model file"):
        load_potential(path)


def test_other_files_are_refused(path) -> None:
    from mlipkd.jobs import artefacts

    with artefacts.writing(path) as temporary:
        torch.save({"weights": torch.zeros(3)}, temporary)
    with pytest.raises(InputError, match=r"expected a model file of mlipkd, got something else"):
        load_potential(path)


def test_a_later_format_names_its_version(path) -> None:
    from mlipkd.jobs import artefacts

    header = {"mlipkd": json.dumps({"format": 99, "mlipkd": "7.0"})}
    tensors = load_file(path)
    with artefacts.writing(path) as temporary:
        save_file(tensors, temporary, metadata=header)
    with pytest.raises(InputError, match=r"got 99, written by mlipkd 7\.0"):
        load_potential(path)


@pytest.mark.parametrize("engine", CPU_ENGINES)
def test_a_file_of_format_1_gives_what_it_gave_when_it_was_written(engine, monkeypatch) -> None:
    monkeypatch.setenv("MLIPKD_ENGINE", engine)
    said = json.loads((REFERENCES / "model-format-1.json").read_text())
    loaded = load_potential(REFERENCES / "model-format-1.safetensors")
    assert loaded.metadata["format"] == 1 and loaded.metadata["mlipkd"] == "0.1.0"
    atoms = Atoms(said["numbers"], said["positions"], cell=said["cell"], pbc=True)
    atoms.calc = MLIPKD(loaded)
    assert atoms.get_potential_energy() == pytest.approx(said["energy"], rel=0, abs=1e-6)
    np.testing.assert_allclose(atoms.get_forces(), said["forces"], rtol=0, atol=1e-6)


def test_one_file_is_all_there_is_to_carry(path, tmp_path) -> None:
    elsewhere = (tmp_path / "elsewhere.safetensors").absolute()
    elsewhere.write_bytes(path.read_bytes())
    sidecar(path).unlink()
    assert load_potential(elsewhere).metadata["species"] == [6, 13]


def test_no_members_are_refused() -> None:
    """As a pattern gives them that no file name matches."""
    with pytest.raises(InputError, match="expected one model file or more, got none"):
        load_members([])
