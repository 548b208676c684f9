"""Training data: every configuration once an epoch, whether it fits into memory or not."""

import numpy as np
import pytest
import torch

from mlipkd.config.recipe import BatchSize, LossTerm
from mlipkd.datasets.file import DatasetFile
from mlipkd.errors import InputError
from mlipkd.training import data
from mlipkd.training.data import TrainingData

TERMS = [
    LossTerm(quantity="energy", labels="reference", weight=1),
    LossTerm(quantity="forces", labels="reference", weight=1),
]


@pytest.fixture(params=[None, 2000], ids=["in memory", "from disk"])
def training(request, monkeypatch, tiny_dataset) -> TrainingData:
    if request.param:
        monkeypatch.setattr(data, "BLOCK_BYTES", request.param)
    file = DatasetFile(tiny_dataset)
    return TrainingData(file, np.arange(0, 40, 2), TERMS, 4.5, torch.float64)


def test_an_epoch_shows_every_configuration_once(training, tiny_dataset) -> None:
    with DatasetFile(tiny_dataset) as file:
        expected = file.read(np.arange(0, 40, 2)).labels["reference"]
    for generator in (None, torch.Generator().manual_seed(3)):
        energies, forces, sizes = [], [], []
        for mini_batch in training.batches(3, generator):
            (whole,) = mini_batch.microbatches()
            energy, force = (whole.labels[term.name].values for term in TERMS)
            assert len(whole.batch.sizes) <= 3
            assert len(force) == whole.batch.sizes.sum() == len(whole.batch.elements)
            energies.append(energy)
            forces.append(force)
            sizes.append(whole.batch.sizes)
        found = torch.cat(energies).numpy()
        np.testing.assert_array_equal(np.sort(found), np.sort(expected["energy"]))
        assert torch.cat(forces).square().sum() == pytest.approx((expected["forces"] ** 2).sum())
        if generator is None:
            np.testing.assert_array_equal(found, expected["energy"])
        else:
            assert not np.array_equal(found, expected["energy"])


def test_an_order_is_repeated_by_its_seed(training) -> None:
    orders = [
        torch.cat(
            [
                part.labels["reference energy"].values
                for mini_batch in training.batches(4, torch.Generator().manual_seed(seed))
                for part in mini_batch.microbatches()
            ]
        )
        for seed in (1, 1, 2)
    ]
    assert torch.equal(orders[0], orders[1])
    assert not torch.equal(orders[0], orders[2])


def test_microbatches_are_the_whole(training) -> None:
    for mini_batch in training.batches(8, torch.Generator().manual_seed(0)):
        (whole,) = mini_batch.microbatches()
        parts = list(mini_batch.microbatches(3))
        assert max(len(part.numbers) for part in parts) <= -(-len(mini_batch) // 3)
        torch.testing.assert_close(torch.cat([part.numbers for part in parts]), whole.numbers)
        for name, labels in whole.labels.items():
            assert torch.equal(
                torch.cat([part.labels[name].values for part in parts]), labels.values
            )


def test_batches_by_pairs_have_that_many_on_average(training) -> None:
    size = training.batch_size(BatchSize(pairs=100))
    pairs = sum(
        int(part.batch.bounds[:, -1].sum())
        for mini_batch in training.batches(size)
        for part in mini_batch.microbatches()
    )
    assert size * pairs / 20 == pytest.approx(100, rel=0.3)
    assert training.batch_size(BatchSize(configurations=7)) == 7


def test_an_empty_split_is_refused(tiny_dataset) -> None:
    with DatasetFile(tiny_dataset) as file, pytest.raises(InputError, match="got none in one of"):
        TrainingData(file, np.array([], int), TERMS, 4.5, torch.float64)
