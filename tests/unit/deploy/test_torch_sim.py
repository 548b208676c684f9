"""The torch-sim model: its interface is kept, and it says what the ASE calculator says."""

import numpy as np
import pytest
import torch
from ase.build import bulk

from mlipkd.deploy import ase as deploy_ase

torch_sim = pytest.importorskip("torch_sim")
from torch_sim.models.interface import validate_model_outputs  # noqa: E402

from mlipkd.deploy.torch_sim import MLIPKD  # noqa: E402


@pytest.fixture
def model_file(write_model):
    return write_model("model.safetensors", species=(13, 14, 26))


def test_keeps_the_interface(model_file) -> None:
    model = MLIPKD(model_file, compute_stress=True)
    validate_model_outputs(model, model.device, model.dtype)


@pytest.mark.parametrize(("n_interactions", "members"), [(1, 1), (2, 1), (1, 3)])
def test_says_what_the_calculator_says(write_model, n_interactions, members) -> None:
    shape = {"species": (13, 14), "n_interactions": n_interactions}
    files = [write_model(f"{seed}.safetensors", seed=seed, **shape) for seed in range(members)]
    systems = [bulk("Al", cubic=True) * (2, 1, 1), bulk("Si"), bulk("Al", a=3.9)]
    for number, system in enumerate(systems):
        system.rattle(0.1, seed=number)
        strain = np.random.default_rng(number).normal(0, 0.03, (3, 3))
        system.set_cell(system.cell @ (np.eye(3) + strain), scale_atoms=True)
    model = MLIPKD(files, compute_stress=True)
    state = torch_sim.initialize_state(systems, model.device, torch.float64)
    found = model(state)
    calculator, first = deploy_ase.MLIPKD(files), 0
    for number, system in enumerate(systems):
        system.calc = calculator
        last = first + len(system)
        assert found["energy"][number].item() == pytest.approx(system.get_potential_energy())
        forces, stress = system.get_forces(), system.get_stress(voigt=False)
        np.testing.assert_allclose(found["forces"][first:last], forces, atol=1e-6)
        np.testing.assert_allclose(found["stress"][number], stress, atol=1e-7)
        assert np.abs(stress).max() > 1e-6
        first = last


def test_results_have_the_precision_of_the_state(model_file) -> None:
    model = MLIPKD(model_file)
    state = torch_sim.initialize_state(bulk("Al"), model.device, torch.float32)
    assert {values.dtype for values in model(state).values()} == {torch.float32}
    assert "stress" not in model(state)
