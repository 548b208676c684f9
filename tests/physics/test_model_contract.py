"""What physics asks of a model whatever its weights: derivatives, symmetries, independence."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from mlipkd.config.model import Architecture
from mlipkd.datasets.dataset import Dataset
from mlipkd.hipnn.batch import Batcher
from mlipkd.hipnn.derivatives import forces, pair_gradient, pair_vectors, per_system
from mlipkd.hipnn.file import Potential
from mlipkd.hipnn.prediction import predict
from mlipkd.testing import (
    CPU_ENGINES,
    PARITY,
    dataset_of,
    random_crystal,
    random_model,
    random_molecule,
    small_shape,
)

ELEMENTS = (1, 6, 8)
REPULSION = {"repulsion": {"temperature": 300}}
SHAPES = [small_shape(n_interactions=n, l_max=l_max) for n in (1, 2) for l_max in (0, 1, 2)]
SHAPES += [small_shape(n_interactions=n, **REPULSION) for n in (1, 2)]


def name_of(shape: Architecture) -> str:
    return shape.name + ("" if shape.repulsion is None else "-repulsion")


@pytest.fixture(params=CPU_ENGINES, autouse=True)
def engine(request, monkeypatch) -> str:
    """Every path there is on this machine."""
    monkeypatch.setenv("MLIPKD_ENGINE", request.param)
    return request.param


@pytest.fixture(params=SHAPES, ids=name_of)
def potential(request) -> Potential:
    """A model with random weights and element energies."""
    model = random_model(request.param, ELEMENTS, seed=3)
    model.E0.copy_(torch.tensor([-13.0, -1030.0, -2040.0]))
    return Potential(model, {})


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(11)


def energy_of(potential: Potential, numbers, positions, cell) -> float:
    dataset = dataset_of([(numbers, positions, cell)])
    return float(predict(potential, dataset, ("energy",))["energy"][0])


@pytest.mark.parametrize("periodic", [False, True])
def test_forces_are_finite_differences_of_the_energy(potential, generator, periodic) -> None:
    make = random_crystal if periodic else random_molecule
    numbers, positions, cell = make(generator, 5, ELEMENTS)
    found = predict(potential, dataset_of([(numbers, positions, cell)]), ("forces",))["forces"]
    step = 1e-4
    for atom, axis in ((0, 0), (2, 1), (4, 2)):
        displaced = np.repeat(positions[None], 4, axis=0)
        for row, factor in enumerate((-2, -1, 1, 2)):
            displaced[row, atom, axis] += factor * step
        E = [energy_of(potential, numbers, one, cell) for one in displaced]
        derivative = (E[0] - 8 * E[1] + 8 * E[2] - E[3]) / (12 * step)
        assert found[atom, axis] == pytest.approx(-derivative, abs=2e-7)


def test_stress_is_finite_difference_of_the_energy(potential, generator) -> None:
    numbers, positions, cell = random_crystal(generator, 5, ELEMENTS)
    found = predict(potential, dataset_of([(numbers, positions, cell)]), ("stress",))["stress"][0]
    volume, step = abs(np.linalg.det(cell)), 1e-5
    for a, b in ((0, 0), (1, 2), (2, 0)):
        E = []
        for sign in (-1, 1):
            strain = np.eye(3)
            strain[a, b] += sign * step
            E.append(energy_of(potential, numbers, positions @ strain, cell @ strain))
        assert found[a, b] == pytest.approx((E[1] - E[0]) / (2 * step * volume), abs=1e-6)


def test_rotation_and_translation_leave_the_energy_and_turn_the_forces(
    potential, generator
) -> None:
    for make in (random_molecule, random_crystal):
        numbers, positions, cell = make(generator, 6, ELEMENTS)
        turn = Rotation.random(rng=generator).as_matrix()
        turned = (numbers, positions @ turn.T + 3.3, cell @ turn.T)
        found = predict(potential, dataset_of([(numbers, positions, cell), turned]))
        assert found["energy"][1] == pytest.approx(found["energy"][0], rel=PARITY)
        np.testing.assert_allclose(found["forces"][6:], found["forces"][:6] @ turn.T, atol=1e-9)


def test_permuting_atoms_permutes_what_they_get(potential, generator) -> None:
    numbers, positions, cell = random_molecule(generator, 7, ELEMENTS)
    order = generator.permutation(7)
    found = predict(
        potential,
        dataset_of([(numbers, positions, cell), (numbers[order], positions[order], cell)]),
    )
    for name in ("forces", "atomic_energies"):
        first, second = found[name][:7], found[name][7:]
        np.testing.assert_allclose(second, first[order], rtol=PARITY, atol=1e-9)


def test_a_supercell_has_the_energy_of_its_cells(potential, generator) -> None:
    numbers, positions, cell = random_crystal(generator, 4, ELEMENTS)
    doubled = (
        np.concatenate([numbers, numbers]),
        np.concatenate([positions, positions + cell[1]]),
        cell * np.array([[1], [2], [1]]),
    )
    found = predict(potential, dataset_of([(numbers, positions, cell), doubled]))
    assert found["energy"][1] == pytest.approx(2 * found["energy"][0], rel=PARITY)
    np.testing.assert_allclose(found["stress"][1], found["stress"][0], atol=1e-9)
    np.testing.assert_allclose(found["forces"][4:8], found["forces"][:4], atol=1e-9)


def test_a_batch_gives_what_its_members_give_alone(potential, generator) -> None:
    members = [random_molecule(generator, n, ELEMENTS) for n in (1, 8, 3)]
    members.append(random_crystal(generator, 4, ELEMENTS))
    together = predict(potential, dataset_of(members))
    offset = 0
    for m, member in enumerate(members):
        alone = predict(potential, dataset_of([member]))
        atoms = slice(offset, offset + len(member[0]))
        assert together["energy"][m] == pytest.approx(alone["energy"][0], rel=PARITY)
        np.testing.assert_allclose(together["forces"][atoms], alone["forces"], atol=1e-9)
        offset = atoms.stop


def test_far_molecules_do_not_feel_each_other(potential, generator) -> None:
    a, b = (random_molecule(generator, 4, ELEMENTS) for _ in range(2))
    both = (np.concatenate([a[0], b[0]]), np.concatenate([a[1], b[1] + 50]), a[2])
    found = predict(potential, dataset_of([a, b, both]))
    assert found["energy"][2] == pytest.approx(found["energy"][:2].sum(), rel=PARITY)


def test_energy_is_smooth_at_the_cutoff(potential) -> None:
    """Two atoms drawn apart: energy and force go to those of isolated atoms without a step."""
    R = potential.model.architecture.hard_max
    pair = [
        (np.array([6, 1]), np.array([[0.0, 0, 0], [r, 0, 0]]), np.zeros((3, 3)))
        for r in (R - 1e-4, R + 1e-4)
    ]
    found = predict(potential, dataset_of(pair))
    assert found["energy"][0] == pytest.approx(found["energy"][1], abs=1e-6)
    assert np.abs(found["forces"]).max() < 1e-3
    assert np.abs(found["forces"][2:]).max() == 0


@pytest.mark.parametrize("shape", SHAPES, ids=name_of)
def test_force_training_gradients_are_finite_differences(shape: Architecture, generator) -> None:
    """d(force loss)/d(weights), which needs second derivatives of everything."""
    members = [random_molecule(generator, 5, ELEMENTS), random_crystal(generator, 4, ELEMENTS)]
    model = random_model(shape, ELEMENTS, seed=1)
    batcher = Batcher(dataset_of(members), ELEMENTS, shape.hard_max, torch.float64)

    def force_loss() -> torch.Tensor:
        batch = batcher.batch(torch.arange(2))
        vectors = pair_vectors(model, batch)
        energy = per_system(model(batch, vectors).sum(2), batch)
        gradient = pair_gradient(energy, vectors, training=True)
        return (forces(model, gradient, batch) * 50).square().sum()

    force_loss().backward()
    step = 1e-5
    for name, weights in model.named_parameters():
        if weights.grad is None:  # what is only added to the energy moves no force
            last = f"blocks.{shape.n_interactions - 1}.atom_layers.0.outer.bias"
            assert name in ("b", last)
            continue
        entry = (0,) * weights.ndim
        values = []
        for sign in (1, -1):
            with torch.no_grad():
                weights[entry] += sign * step
            values.append(force_loss().item())
            with torch.no_grad():
                weights[entry] -= sign * step
        derivative = (values[0] - values[1]) / (2 * step)
        assert float(weights.grad[entry]) == pytest.approx(derivative, rel=1e-4, abs=1e-7), name


def test_unknown_elements_are_refused(potential) -> None:
    from mlipkd.errors import InputError

    dataset: Dataset = dataset_of([(np.array([1, 79]), np.eye(3)[:2], np.zeros((3, 3)))])
    with pytest.raises(InputError, match=r"79.*train on data"):
        predict(potential, dataset)
