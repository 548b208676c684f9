"""The torch-sim model: its interface is kept, and it says what the ASE calculator says."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk, fcc111, molecule

from mlipkd.deploy import ase as deploy_ase
from mlipkd.errors import InputError

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


@pytest.mark.parametrize("n_interactions", [1, 2])
def test_an_atom_without_neighbours_among_others(write_model, n_interactions) -> None:
    file = write_model("m.safetensors", species=(1, 8), n_interactions=n_interactions)
    systems = [molecule("H2O"), Atoms("O"), molecule("H2"), Atoms("H")]
    model = MLIPKD(file)
    found = model(torch_sim.initialize_state(systems, model.device, torch.float64))
    forces = []
    for system, energy in zip(systems, found["energy"].tolist(), strict=True):
        system.calc = deploy_ase.MLIPKD(file)
        assert energy == pytest.approx(system.get_potential_energy(), abs=1e-6)
        forces.append(system.get_forces())
    np.testing.assert_allclose(found["forces"], np.concatenate(forces), atol=1e-6)


def slab() -> Atoms:
    atoms = fcc111("Al", (2, 2, 3), vacuum=6)
    atoms.rattle(0.05, seed=0)
    return atoms


def test_refuses_to_take_a_slab_for_a_cluster(model_file) -> None:
    """One flag of this version for three directions makes both the same state."""
    model = MLIPKD(model_file)
    state = torch_sim.initialize_state(slab(), model.device, torch.float64)
    with pytest.raises(InputError, match=r"pbc False and a cell for system 0.*one flag"):
        model(state)


@pytest.mark.parametrize("pbc", [(True, True, False), (True, False, False), (False,) * 3])
def test_takes_three_flags_where_a_state_has_them(model_file, pbc) -> None:
    model = MLIPKD(model_file, compute_stress=True)
    atoms = slab()
    atoms.pbc = pbc
    state = torch_sim.initialize_state(atoms, model.device, torch.float64)
    state.pbc = torch.tensor(pbc)
    found = model(state)
    atoms.calc = deploy_ase.MLIPKD(model_file)
    assert found["energy"].item() == pytest.approx(atoms.get_potential_energy(), abs=1e-9)
    np.testing.assert_allclose(found["forces"], atoms.get_forces(), atol=1e-9)
    np.testing.assert_allclose(found["stress"][0], atoms.get_stress(voigt=False), atol=1e-9)


def test_refuses_a_stress_without_a_volume(model_file) -> None:
    model = MLIPKD(model_file, compute_stress=True)
    state = torch_sim.initialize_state([Atoms("Al2", [[0] * 3, [2.5] * 3])], "cpu", torch.float64)
    with pytest.raises(InputError, match=r"with a volume, got none for system 0.*=False"):
        model(state)
    model = MLIPKD(model_file)
    assert np.isfinite(model(state)["energy"].item())


def test_refuses_two_atoms_at_one_place(model_file) -> None:
    model = MLIPKD(model_file)
    crystal = bulk("Al", cubic=True)
    crystal.positions[2] = crystal.positions[0]
    state = torch_sim.initialize_state([bulk("Al"), crystal], model.device, torch.float64)
    with pytest.raises(InputError, match=r"Al4: .* atoms 0 and 2 .* at one place"):
        model(state)


def test_threads_share_a_model(model_file) -> None:
    model = MLIPKD(model_file)
    states, expected = [], []
    for seed in range(3):
        atoms = bulk("Al", cubic=True) * (2, 2, 1)
        atoms.rattle(0.1, seed=seed)
        states.append(torch_sim.initialize_state(atoms, model.device, torch.float64))
        expected.append(MLIPKD(model_file)(states[-1])["forces"])
    repeated = [number % len(states) for number in range(100)]
    with ThreadPoolExecutor(2) as threads:
        found = threads.map(lambda number: model(states[number])["forces"], repeated)
        for number, forces in zip(repeated, found, strict=True):
            np.testing.assert_allclose(forces, expected[number], atol=1e-6)


@pytest.mark.parametrize("options", [{"skin": -1}, {"device": "cuda:99"}])
def test_refuses_what_is_not_there(model_file, options) -> None:
    with pytest.raises(InputError, match=rf"{next(iter(options))}: expected"):
        MLIPKD(model_file, **options)
