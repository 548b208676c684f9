"""The loss of a mini-batch: its terms, w_R, and labels that are missing."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mlipkd.config.model import Repulsion
from mlipkd.config.quantities import QUANTITIES
from mlipkd.config.recipe import LossTerm
from mlipkd.datasets import file as dataset_file
from mlipkd.datasets.dataset import LABELS, chosen_rows, columns_of
from mlipkd.datasets.file import DatasetFile
from mlipkd.hipnn.batch import Batcher
from mlipkd.hipnn.file import Potential
from mlipkd.hipnn.prediction import predict
from mlipkd.testing import dataset_of, random_crystal, random_molecule
from mlipkd.training.data import Microbatch, TrainingData
from mlipkd.training.labels import TermLabels
from mlipkd.training.loss import Residuals, loss, residuals
from mlipkd.training.microbatches import differentiate
from tests.models import random_model, small_shape

#: E_iⁿ of two members and three atoms, and R_i.
ORDERS = torch.tensor(
    [
        [[3.0, 4.0, 4.0], [1.0, 0.0, 2.0], [2.0, -2.0, 0.0]],
        [[1.0, 2.0, 1.0], [4.0, -3.0, 4.0], [1.0, 1.0, 1.0]],
    ]
)
R = torch.tensor([[16 / 25 + 1 / 2, 0 + 1, 1 / 2 + 0], [4 / 5 + 1 / 5, 9 / 25 + 16 / 25, 1.0]])


@pytest.mark.parametrize("labelled", [False, True])
@pytest.mark.parametrize("some", [False, True])
def test_hierarchicality_adds_its_mean_over_the_atoms(labelled, some) -> None:
    mask = torch.tensor([[True, False, True], [False, True, True]]) if some else None
    means = torch.stack([R[0, [0, 2]].mean(), R[1, 1:].mean()]) if some else R.mean(1)
    terms, added = [], torch.zeros(2)
    if labelled:
        values = torch.tensor([[3.0, -4.0], [1.0, 1.0]])
        terms = [(2.0, Residuals(values, torch.ones(1, 2)))]
        added = 2 * torch.tensor([12.5**0.5 + 3.5, 2.0])
    found = loss(0.3, terms, ORDERS, mask)
    torch.testing.assert_close(found, 0.3 * means + added)


def test_the_repulsion_is_no_order_of_the_expansion() -> None:
    """Energies are with the repulsion, R is of what the network adds to those of the elements."""
    molecule = random_molecule(np.random.default_rng(0), 6, (1, 6))
    dataset = dataset_of([molecule], energy=np.zeros(1))
    model = random_model(small_shape(repulsion=Repulsion(temperature=300.0)), (1, 6), 0)
    model.E0[:] = torch.tensor([2.0, 3.0])
    batch = Batcher(dataset, (1, 6), 4.5, torch.float64).batch(torch.arange(1))
    term = LossTerm(quantity="energy", labels="reference", weight=1)
    labels = {term.name: TermLabels(torch.zeros(1, dtype=torch.float64))}
    microbatch = Microbatch(batch, labels, torch.arange(1))
    (found,), orders = residuals(model, microbatch, [term], training=True)
    repulsion = found.values[0, 0] - orders.sum()
    torch.testing.assert_close(repulsion, model.repulsion(batch, batch.vectors[None]).sum())
    assert repulsion > 0.1
    assert torch.equal(orders[0, :, 0], model.E0[0, batch.elements])


def test_errors_are_means_over_the_labels_that_count() -> None:
    values = torch.tensor([[3.0, 0.0, -4.0], [0.0, 0.0, 0.0]])
    found = Residuals(values, weights=torch.tensor([[1.0, 0.0, 1.0], [0.0] * 3])).errors()
    assert found.tolist() == pytest.approx([12.5**0.5 + 3.5, 0])


def test_missing_labels_do_not_count(settings, tiny_dataset, tmp_path) -> None:
    """A mini-batch with a configuration that nobody has labelled has the residuals, and the
    gradients, of one without it."""
    dataset = dataset_file.read(tiny_dataset)
    labels = {key: values.copy() for key, values in dataset.labels["reference"].items()}
    labels["energy"][3] = labels["forces"][chosen_rows(dataset.offsets, np.array([3]))] = np.nan
    dataset_file.write(replace(dataset, labels={"reference": labels}), tmp_path / "masked.h5")
    terms, shape = settings().recipe.loss, settings().architecture
    model, found = random_model(shape, (1, 6), 0), []
    with DatasetFile(tmp_path / "masked.h5") as file:
        for some in ([0, 1, 3, 5], [0, 1, 5]):
            data = TrainingData(file, np.array(some), terms, shape.hard_max, torch.float64)
            (mini_batch,) = data.batches(4)
            found.append(
                differentiate(model, list(mini_batch.microbatches()), terms, [1.0, 5.0], 0.0)
            )
    (gradients, residuals), (expected, of_the_rest) = found
    for one, other in zip(residuals, of_the_rest, strict=True):
        torch.testing.assert_close(one.errors(), other.errors(), rtol=1e-12, atol=0)
    for one, other in zip(gradients, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)
    assert any(one.abs().max() > 1e-3 for one in expected)


#: How each quantity of a first-order term follows from what ``predict`` says of the dataset.
FROM_PREDICTIONS = {
    "energy": lambda found, sizes: found["energy"],
    "energy_per_atom": lambda found, sizes: found["energy"] / sizes,
    "forces": lambda found, sizes: found["forces"],
    "atomic_energies": lambda found, sizes: found["atomic_energies"],
    "stress": lambda found, sizes: found["stress"],
}


@pytest.mark.parametrize("quantity", [n for n, q in QUANTITIES.items() if not q.curvature])
def test_residuals_of_each_quantity_are_prediction_minus_label(quantity, tmp_path) -> None:
    """Those with second derivatives are in test_loss_curvature.py."""
    generator = np.random.default_rng(0)
    crystals = [random_crystal(generator, size, (1, 6)) for size in (2, 5, 3)]
    labels = {
        name: generator.normal(size=(3 if label.atom_axes == 0 else 10, *columns_of(name)))
        for name, label in LABELS.items()
        if not label.curvature
    }
    dataset_file.write(dataset_of(crystals, **labels), tmp_path / "dataset.h5")
    term = LossTerm(quantity=quantity, labels="reference", weight=1)
    model = random_model(small_shape(), (1, 6), 0)
    with DatasetFile(tmp_path / "dataset.h5") as file:
        dataset = file.read()
        (mini_batch,) = TrainingData(file, np.arange(3), [term], 4.5, torch.float64).batches(3)
    ((found,), _) = residuals(model, *mini_batch.microbatches(), [term], training=True)
    convert = FROM_PREDICTIONS[quantity]
    predicted = convert(predict(Potential(model, {}), dataset), dataset.sizes)
    difference = predicted - convert(labels, dataset.sizes)
    np.testing.assert_allclose(found.values.detach()[0], difference.ravel(), atol=1e-10)
    assert found.weights.all()
