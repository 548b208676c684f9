"""Isolated atoms, which have no neighbours, no force and no volume, among others."""

import numpy as np
import pytest
import torch

from mlipkd.config.recipe import LossTerm
from mlipkd.hipnn.batch import Batcher
from mlipkd.hipnn.initial import fit_element_energies
from mlipkd.testing import dataset_of, random_crystal, random_molecule
from mlipkd.training.data import Microbatch
from mlipkd.training.labels import TermLabels
from mlipkd.training.loss import loss, mixing_weights, residuals, weight_gradients
from tests.models import CPU_ENGINES, random_model, small_shape

TERMS = [
    LossTerm(quantity=quantity, labels="reference", weight=1)
    for quantity in ("energy", "forces", "stress")
]


@pytest.fixture
def mixed():
    """A crystal, a molecule, and an isolated atom."""
    generator = np.random.default_rng(0)
    isolated = (np.array([1]), np.zeros((1, 3)), np.zeros((3, 3)))
    members = [
        random_crystal(generator, 5, (1, 6)),
        random_molecule(generator, 4, (1, 6)),
        isolated,
    ]
    stress = generator.normal(size=(3, 3, 3))
    stress[1:] = np.nan  # no volume
    return dataset_of(
        members,
        energy=generator.normal(size=3),
        forces=generator.normal(size=(10, 3)),
        stress=stress,
    )


@pytest.mark.parametrize("engine", CPU_ENGINES)
def test_stress_of_some_configurations_is_learned(mixed, engine, monkeypatch) -> None:
    """The loss of all is that with other labels of the crystal, but has derivatives for all."""
    monkeypatch.setenv("MLIPKD_ENGINE", engine)
    model = random_model(small_shape(), (1, 6), 0)
    batch = Batcher(mixed, (1, 6), 4.5, torch.float64, "cpu").batch(torch.arange(3))
    labels = {
        f"reference {label}": TermLabels(torch.from_numpy(values))
        for label, values in mixed.labels["reference"].items()
    }
    microbatch = Microbatch(batch, labels, torch.arange(3))
    found, orders = residuals(model, microbatch, TERMS, training=True)
    assert found[2].weights.sum() == 9
    weights = mixing_weights(model)
    total = loss(0.01, [(1.0, one) for one in found], orders)
    assert torch.isfinite(total).all()
    for gradient in weight_gradients(total, weights):
        assert torch.isfinite(gradient).all()


def test_isolated_atoms_count_in_the_fit_of_element_energies() -> None:
    """Isolated atoms of -1 and -5 eV, and a molecule of three of them that nothing binds."""
    isolated = [(np.array([z]), np.zeros((1, 3)), np.zeros((3, 3))) for z in (1, 6)]
    molecule = (np.array([6, 1, 1]), np.eye(3), np.zeros((3, 3)))
    model = random_model(small_shape(), (1, 6), 0)
    dataset = dataset_of([*isolated, molecule], energy=np.array([-1.0, -5.0, -7.0]))
    fit_element_energies(model, [dataset])
    assert model.E0[0].tolist() == pytest.approx([-1, -5])
