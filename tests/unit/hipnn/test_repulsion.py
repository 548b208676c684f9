"""The repulsion: smooth at its end, strong at short distances, the same in a file."""

import json

import numpy as np
import pytest
import torch
from safetensors import safe_open

from mlipkd.config.model import Architecture
from mlipkd.hipnn.file import Potential, load_potential, save_potential
from mlipkd.hipnn.network import HIPNN
from mlipkd.hipnn.prediction import predict
from mlipkd.hipnn.repulsion import _wall
from mlipkd.testing import dataset_of, random_crystal
from tests.models import CPU_ENGINES, random_model, small_shape

ELEMENTS = (1, 2)
SHAPE = small_shape(repulsion={"temperature": 300})
WALL = (3.0, 0.2, 3.5, 4.25)  # σ, λ, r_on, r_c


def walls_alone(dtype: torch.dtype) -> Potential:
    """A model whose network says nothing, with a wall between 1 and 2, others at 0.1 Å alone."""
    model = HIPNN(SHAPE, ELEMENTS).to(dtype).requires_grad_(False)
    for weights in model.parameters():
        weights.fill_(1)
    model.w.fill_(0)
    model.b.fill_(0)
    model.repulsion.walls[:] = torch.tensor([0.1, 0.01, 0.2, 0.3])
    model.repulsion.walls[0, 0, 1] = model.repulsion.walls[0, 1, 0] = torch.tensor(WALL)
    return Potential(model, {"architecture": SHAPE.model_dump(), "species": list(ELEMENTS)})


def pull_of(potential: Potential, distances: list[float], pair=(1, 2)) -> tuple:
    """Energy and the force that drives two atoms apart, at each distance."""
    pairs = [
        (np.array(pair), np.array([[0, 0, 0], [0, r, 0]], float), np.zeros((3, 3)))
        for r in distances
    ]
    found = predict(potential, dataset_of(pairs))
    return found["energy"], found["forces"][1::2, 1]


@pytest.mark.parametrize("engine", CPU_ENGINES)
def test_below_r_on_it_is_the_exponential(engine, monkeypatch) -> None:
    monkeypatch.setenv("MLIPKD_ENGINE", engine)
    r = np.array([0.5, 2.0, 3.0, 3.4])
    energy, force = pull_of(walls_alone(torch.float64), r)
    np.testing.assert_allclose(energy, np.exp((3.0 - r) / 0.2), rtol=1e-6)
    np.testing.assert_allclose(force, np.exp((3.0 - r) / 0.2) / 0.2, rtol=1e-6)


@pytest.mark.parametrize("engine", CPU_ENGINES)
@pytest.mark.parametrize("joint", WALL[2:])
def test_value_and_two_derivatives_go_on_where_parts_meet(engine, joint, monkeypatch) -> None:
    monkeypatch.setenv("MLIPKD_ENGINE", engine)
    h = 1e-4
    r = [joint - 2 * h, joint - h, joint + h, joint + 2 * h]
    energy, force = pull_of(walls_alone(torch.float64), r)
    typical = np.exp((WALL[0] - joint) / WALL[1])  # eV
    before, after = np.diff(force)[[0, 2]] / h
    assert abs(energy[2] - energy[1]) < 0.01 * typical
    assert abs(force[2] - force[1]) < 0.01 * typical / WALL[1]
    assert abs(after - before) < 0.01 * typical / WALL[1] ** 2
    if joint == WALL[3]:
        assert (energy[2:] == 0).all() and (force[2:] == 0).all()


def test_a_wall_is_for_its_own_pair_of_elements() -> None:
    for pair in ((1, 1), (2, 2)):
        energy, force = pull_of(walls_alone(torch.float64), [2.0], pair)
        assert energy == force == 0


@pytest.mark.parametrize("engine", CPU_ENGINES)
def test_atoms_almost_on_each_other_are_driven_apart_in_single_precision(
    engine, monkeypatch
) -> None:
    """The steepest wall that a fit may give: λ is 1/30 of the closest distance."""
    monkeypatch.setenv("MLIPKD_ENGINE", engine)
    potential = walls_alone(torch.float32)
    steep = torch.tensor([3.3, 3.5 / 30, 3.8, 4.2], dtype=torch.float64)
    potential.model.repulsion.walls[:] = steep
    energy, force = pull_of(potential, [0.1, 0.2, 0.5])
    assert np.isfinite(energy).all() and np.isfinite(force).all()
    assert (force > 1e9).all() and (np.diff(force) < 0).all()


def test_a_wall_falls_everywhere_and_its_force_to_r_on() -> None:
    r = torch.linspace(0.1, 4.25, 500, dtype=torch.float64, requires_grad=True)
    energy = _wall(r, torch.tensor(WALL, dtype=torch.float64))
    (slope,) = torch.autograd.grad(energy.sum(), r)
    assert (slope[:-1] < 0).all() and slope[-1] == 0
    inside = slope[r < WALL[2]]
    assert (inside.diff() > 0).all()


def test_a_file_gives_the_same_bits_and_is_refused_where_it_is_not_known(tmp_path) -> None:
    model = random_model(SHAPE, ELEMENTS, seed=0)
    metadata = {"architecture": SHAPE.model_dump(), "species": list(ELEMENTS)}
    crystal = dataset_of([random_crystal(np.random.default_rng(0), 6, ELEMENTS)])
    for dtype in (torch.float64, torch.float32):
        potential = Potential(model.to(dtype), metadata)
        save_potential(potential, tmp_path / "m.safetensors")
        loaded = load_potential(tmp_path / "m.safetensors")
        assert loaded.model.repulsion.walls.dtype == torch.float64
        found, truth = (predict(one, crystal) for one in (loaded, potential))
        assert all(np.array_equal(found[name], truth[name]) for name in truth)
        assert loaded.metadata["format"] == 2


def test_files_without_it_are_as_they_were(tmp_path) -> None:
    shape = small_shape()
    metadata = {"architecture": shape.model_dump(), "species": list(ELEMENTS)}
    save_potential(Potential(random_model(shape, ELEMENTS, 0), metadata), tmp_path / "m")
    with safe_open(tmp_path / "m", framework="pt") as file:
        record = json.loads(file.metadata()["mlipkd"])
        names = set(file.keys())
    assert record["format"] == 1
    assert "repulsion" not in record["architecture"]
    assert not any("repulsion" in name for name in names)
    assert Architecture(**record["architecture"]).repulsion is None
