"""Labels that the members of a teacher agree on count for more; probes."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from mlipkd.config.recipe import LossTerm, Trust
from mlipkd.datasets.dataset import TEST, TRAIN
from mlipkd.datasets.file import DatasetFile, write
from mlipkd.errors import InputError
from mlipkd.testing import dataset_of, random_molecule
from mlipkd.training.data import TrainingData
from mlipkd.training.labels import LabelWeights, draw_probes
from mlipkd.training.loss import Errors, Residuals

#: Root mean square over the components of the spread of each atom's forces: two diatomic molecules
#: to train on, and one to test with, whose members disagree wildly.
SPREAD = np.array([1.0, 3.0, 2.0, 2.0, 90.0, 90.0])


@pytest.fixture
def augmented(tmp_path):
    """A file of three molecules with a teacher's forces and their spread."""
    molecule = np.array([1, 1]), np.array([[0.0, 0, 0], [1, 0, 0]]), np.zeros((3, 3))
    plain = dataset_of([molecule] * 3, energy=np.zeros(3))
    components = np.sqrt([0.0, 1.0, 2.0])  # of a mean square of one
    labels = {
        **plain.labels,
        "teacher": {"forces": np.zeros((6, 3)), "energy": np.zeros(3)},
        "teacher_spread": {"forces": SPREAD[:, None] * components, "energy": np.zeros(3)},
    }
    dataset = replace(plain, labels=labels, splits=np.array([TRAIN, TRAIN, TEST], np.uint8))
    write(dataset, tmp_path / "augmented.h5")
    with DatasetFile(tmp_path / "augmented.h5") as file:
        yield file


def term(quantity: str = "forces", **trust) -> LossTerm:
    return LossTerm(quantity=quantity, labels="teacher", weight=1, trust=Trust(**trust))


def test_a_label_of_median_spread_counts_half(augmented) -> None:
    """The test split has no part in the median."""
    weights = LabelWeights(augmented, term()).of(augmented.read())
    np.testing.assert_allclose(weights, 1 / (1 + (SPREAD / 2.0) ** 2))


def test_configurations_may_share_their_trust(augmented) -> None:
    label_weights = LabelWeights(augmented, term(per="configuration", scale=2.0))
    spread = np.repeat(np.sqrt([(1 + 9) / 2, 4, 90**2]), 2)  # of the molecules
    median = (np.sqrt(5) + 2) / 2
    weights = label_weights.of(augmented.read())
    np.testing.assert_allclose(weights, 1 / (1 + (spread / (2 * median)) ** 2))


def test_energies_per_atom_are_trusted_by_their_spread_per_atom(tmp_path) -> None:
    """Members that differ by as much per atom, in systems of all sizes: all count the same."""
    generator, sizes = np.random.default_rng(0), [2, 4, 8, 16, 32]
    plain = dataset_of([random_molecule(generator, n, (1, 6)) for n in sizes], energy=np.zeros(5))
    given = {"teacher": np.zeros(5), "teacher_spread": 0.01 * np.array(sizes)}
    labels = plain.labels | {whose: {"energy": values} for whose, values in given.items()}
    write(replace(plain, labels=labels), tmp_path / "sizes.h5")
    with DatasetFile(tmp_path / "sizes.h5") as file:
        weights = LabelWeights(file, term("energy_per_atom")).of(file.read())
        np.testing.assert_allclose(weights, 0.5)
        weights = LabelWeights(file, term("energy")).of(file.read())
        np.testing.assert_allclose(weights, 1 / (1 + (np.array(sizes) / 8) ** 2))


def test_what_labels_count_goes_with_them(augmented) -> None:
    data = TrainingData(augmented, np.array([0, 1]), [term()], 3.0, torch.float64)
    (mini_batch,) = data.batches(2)
    (whole,) = mini_batch.microbatches()
    weights = whole.labels["teacher forces"].weights
    np.testing.assert_allclose(weights, 1 / (1 + (SPREAD[:4] / 2.0) ** 2))


def test_weighted_errors_are_weighted_means() -> None:
    found = Residuals(torch.tensor([[3.0, 5.0, 7.0]]), torch.tensor([[0.5, 0.25, 0.0]]))
    rmse, mae = ((9 * 0.5 + 25 * 0.25) / 0.75) ** 0.5, (3 * 0.5 + 5 * 0.25) / 0.75
    assert found.errors().tolist() == pytest.approx([rmse + mae])
    errors = Errors.none(1)
    errors.add(found)
    errors.add(found)
    assert errors.of_members() == [{"rmse": pytest.approx(rmse), "mae": pytest.approx(mae)}]


def test_one_teacher_has_no_spread(augmented) -> None:
    with pytest.raises(InputError, match="expected the spread of a teacher's atomic_energies"):
        LabelWeights(augmented, term("atomic_energies"))


def test_members_that_always_agree_are_refused(augmented) -> None:
    with pytest.raises(InputError, match="expected members that differ in energy"):
        LabelWeights(augmented, term("energy"))


def test_reference_labels_have_no_spread() -> None:
    with pytest.raises(ValidationError, match="reference has no spread"):
        LossTerm(quantity="forces", labels="reference", weight=1, trust=Trust())


KINDS = ("one_hot", "rademacher", "gaussian")


def variance(kind: str, A: np.ndarray) -> float:
    """Of vᵀ A v."""
    N, diagonal = len(A), np.diag(A)
    if kind == "one_hot":
        return (diagonal**2).mean() - diagonal.mean() ** 2
    off = A - np.diag(diagonal) if kind == "rademacher" else A
    return 2 * (off**2).sum() / N**2


@pytest.mark.parametrize("kind", KINDS)
def test_mean_and_variance_are_those_that_are_stated(kind) -> None:
    difference = np.random.default_rng(3).normal(size=(6, 6)) + np.diag([1, 2, 3, 4, 5, 6])
    number = 6000
    v = draw_probes(kind, [2] * number, range(number), seed=1, epoch=2).reshape(number, 6)
    squares = ((v @ difference.T) ** 2).sum(1)  # |Δ v|² of each probe
    A = difference.T @ difference
    error = np.sqrt(variance(kind, A) / number)
    assert abs(squares.mean() - (difference**2).sum() / 6) < 4 * error
    assert squares.var() == pytest.approx(variance(kind, A), rel=0.12)
    assert (v**2).sum(1).mean() == pytest.approx(1, rel=0.04)


def test_kinds_are_what_they_are_called() -> None:
    one_hot, rademacher = (draw_probes(kind, [3, 5], [0, 1], 0, 1) for kind in KINDS[:2])
    assert sorted(one_hot[:3].ravel())[-2:] == [0, 1] == sorted(one_hot[3:].ravel())[-2:]
    np.testing.assert_allclose(np.abs(rademacher[:3]), 1 / 3)
    np.testing.assert_allclose(np.abs(rademacher[3:]), 15**-0.5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_probe_is_of_its_configuration_epoch_and_seed(kind) -> None:
    whole = draw_probes(kind, [4, 70, 5], [8, 3, 9], seed=2, epoch=6)
    np.testing.assert_array_equal(draw_probes(kind, [70], [3], seed=2, epoch=6), whole[4:74])
    for seed, epoch, number in ((3, 6, 3), (2, 7, 3), (2, 6, 4), (2, 0, 3)):
        assert not np.array_equal(draw_probes(kind, [70], [number], seed, epoch), whole[4:74])
