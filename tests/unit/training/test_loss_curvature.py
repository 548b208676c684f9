"""Training on Hessians and on their products."""

import json

import numpy as np
import pytest
import torch

from mlipkd.config.recipe import LossTerm, Probes
from mlipkd.datasets.dataset import TEST, TRAIN, VALIDATION
from mlipkd.datasets.file import DatasetFile, write
from mlipkd.errors import InputError, TryAgainError
from mlipkd.hipnn import hessian
from mlipkd.hipnn.file import load_potential
from mlipkd.hipnn.network import HIPNN
from mlipkd.testing import dataset_of, random_crystal, random_molecule
from mlipkd.training import data
from mlipkd.training.data import Microbatch, TrainingData
from mlipkd.training.labels import draw_probes
from mlipkd.training.loop import TrainingJob, train
from mlipkd.training.microbatches import compare, differentiate
from tests.models import random_model, small_shape
from tests.unit.training.conftest import pair_potential

KINDS = ("one_hot", "rademacher", "gaussian")
HESSIAN = LossTerm(quantity="hessian", labels="reference", weight=1)


def product(kind: str) -> LossTerm:
    probes = Probes(kind=kind)
    return LossTerm(quantity="hvp", labels="reference", weight=1, probes=probes)


def curvature(positions: np.ndarray) -> np.ndarray:
    """Second derivatives of Σ exp(-r) by differences of its forces: (n², 3, 3)."""
    n, step = len(positions), 1e-4
    columns = []
    for k in range(3 * n):
        move = step * np.eye(3 * n)[k].reshape(n, 3)
        F = [pair_potential(positions + sign * move)[1] for sign in (1, -1)]
        columns.append((F[1] - F[0]) / (2 * step))
    H = np.array(columns).reshape(n, 3, n, 3)  # (j, b, i, a)
    return H.transpose(2, 0, 3, 1).reshape(n * n, 3, 3)


@pytest.fixture(scope="module")
def curved(tmp_path_factory):
    """20 molecules of 2 to 4 atoms with Hessians of a pair potential; the first has none."""
    generator = np.random.default_rng(0)
    members = [random_molecule(generator, 2 + m % 3, (1, 6)) for m in range(20)]
    labels = [pair_potential(positions) for _, positions, _ in members]
    blocks = [curvature(positions) for _, positions, _ in members]
    blocks[0] = np.full_like(blocks[0], np.nan)
    dataset = dataset_of(
        members,
        energy=np.array([energy for energy, _ in labels]),
        forces=np.concatenate([forces for _, forces in labels]),
        hessian=np.concatenate(blocks),
    )
    dataset.provenance["masked"] = ["hessian"]
    dataset.splits[:] = np.resize([TRAIN, TRAIN, VALIDATION, TRAIN, TEST], 20)
    path = tmp_path_factory.mktemp("data") / "dataset.h5"
    write(dataset, path)
    return path


@pytest.fixture
def members() -> HIPNN:
    models = [random_model(small_shape(n_interactions=2), (1, 6), seed) for seed in (0, 1)]
    return HIPNN.ensemble(models).requires_grad_()


def microbatches_of(dataset, terms, number=1, mask=None, epoch=1) -> list[Microbatch]:
    """The first eight configurations."""
    with DatasetFile(dataset) as file:
        data = TrainingData(file, np.arange(8), terms, 4.5, torch.float64)
        (mini_batch,) = data.batches(8)
    return [
        part.of_members(mask).with_probes(terms, 0, epoch)
        for part in mini_batch.microbatches(number)
    ]


def test_the_error_of_hessians_is_the_mean_square_of_their_entries(curved, members) -> None:
    (part,) = microbatches_of(curved, [HESSIAN])
    (found,) = compare(members, [part], [HESSIAN])
    difference = hessian.hessians(members, part.batch) - part.labels[HESSIAN.name].values
    expected = difference[:, 4:].square().mean((1, 2, 3))  # but for the first, of two atoms
    torch.testing.assert_close(found.errors(), expected, rtol=1e-12, atol=0)
    assert float(found.weights.sum()) == difference[0, 4:].numel()


@pytest.mark.parametrize("kind", KINDS)
def test_products_have_the_error_of_hessians_on_average(curved, members, kind) -> None:
    term = product(kind)
    (part,) = microbatches_of(curved, [HESSIAN])
    whole = compare(members, [part], [HESSIAN])[0].errors()
    (part,) = microbatches_of(curved, [term])
    found = []
    for epoch in range(1, 101):
        found.append(compare(members, [part.with_probes([term], 0, epoch)], [term])[0].errors())
    values = torch.stack(found)  # (probes, members)
    error = values.std(0) / len(values) ** 0.5
    assert (error < 0.2 * whole).all()
    assert ((values.mean(0) - whole).abs() < 4 * error).all()


ALL = [
    LossTerm(quantity="energy", labels="reference", weight=1),
    LossTerm(quantity="forces", labels="reference", weight=1),
    HESSIAN,
    product("gaussian"),
]


@pytest.mark.parametrize("terms", [ALL, ALL[:3], ALL[::3], [HESSIAN]], ids=len)
def test_derivatives_are_finite_differences_of_the_loss(curved, terms, monkeypatch) -> None:
    monkeypatch.setattr(hessian, "BUDGET", 1000)  # Hessians in several passes
    model = random_model(small_shape(), (1, 6), 2).requires_grad_()
    parts, weights = microbatches_of(curved, terms), [3.0, 2.0, 0.5, 4.0][: len(terms)]
    found, residuals = differentiate(model, parts, terms, weights, 0.0)
    generator = torch.Generator().manual_seed(0)
    along = [torch.randn(w.shape, generator=generator).double() / 10 for w in model.parameters()]
    derivative = sum(float((one * d).sum()) for one, d in zip(along, found, strict=True))
    values, step = [], 1e-4
    for k in (-2, -1, 1, 2):
        _move(model, along, k * step)
        errors = [one.errors() for one in compare(model, parts, terms)]
        values.append(sum(w * float(one) for w, one in zip(weights, errors, strict=True)))
        _move(model, along, -k * step)
    expected = (values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * step)
    assert derivative == pytest.approx(expected, rel=1e-6)
    for one, other in zip(residuals, compare(model, parts, terms), strict=True):
        torch.testing.assert_close(one.errors(), other.errors())


@torch.no_grad()
def _move(model: HIPNN, along: list[torch.Tensor], step: float) -> None:
    for weights, one in zip(model.parameters(), along, strict=True):
        weights.add_(one, alpha=step)


@pytest.mark.parametrize("shared", [True, False], ids=["all learn from all", "each from some"])
@pytest.mark.parametrize("number", [3, 8])
def test_derivatives_of_parts_are_those_of_the_whole(curved, members, shared, number) -> None:
    mask = None if shared else torch.arange(8) % 3 != torch.tensor([[1], [2]])
    arguments = ALL, [1.0, 7.0, 2.0, 3.0], 0.01
    whole, _ = differentiate(members, microbatches_of(curved, ALL, 1, mask), *arguments)
    found, _ = differentiate(members, microbatches_of(curved, ALL, number, mask), *arguments)
    for one, other in zip(whole, found, strict=True):
        torch.testing.assert_close(other, one, rtol=1e-9, atol=1e-11)
    if shared:
        return
    for place in range(2):  # each member's are those that it has alone
        alone = members.member(place)
        gradients, _ = differentiate(
            alone, microbatches_of(curved, ALL, 1, mask[place : place + 1]), *arguments
        )
        for one, other in zip(whole, gradients, strict=True):
            torch.testing.assert_close(other[0], one[place], rtol=1e-9, atol=1e-11)


def recipe(settings, *terms: LossTerm) -> dict:
    content = settings(epochs=4).recipe.model_dump()
    return content | {"loss": [ALL[0].model_dump(), *(term.model_dump() for term in terms)]}


def run(made, dataset, folder, **options):
    job = TrainingJob(made, folder / "model.safetensors", folder / "history.jsonl")
    train([job], dataset, **options)
    lines = (folder / "history.jsonl").read_text().splitlines()
    return load_potential(folder / "model.safetensors"), [json.loads(line) for line in lines]


@pytest.mark.parametrize("fresh", [True, False])
def test_an_interrupted_training_repeats_its_probes(settings, curved, tmp_path, fresh) -> None:
    term = LossTerm.model_validate(
        {
            "quantity": "hvp",
            "labels": "reference",
            "weight": 1,
            "probes": {"kind": "gaussian", "fresh": fresh},
        }
    )
    made = settings(recipe=recipe(settings, term))
    whole, history = run(made, curved, tmp_path / "whole")
    reasons = iter([None, None, None, "the test says so"] + [None] * 100)
    with pytest.raises(TryAgainError):
        run(made, curved, tmp_path / "cut", stop=lambda: next(reasons))
    again, lines = run(made, curved, tmp_path / "cut")
    for one, other in zip(
        whole.model.state_dict().values(), again.model.state_dict().values(), strict=True
    ):
        assert torch.equal(one, other)
    for line, other in zip(history, lines, strict=True):
        assert {**line, "seconds": 0} == {**other, "seconds": 0}


def test_the_validation_loss_has_mean_squares(settings, curved, tmp_path) -> None:
    made = settings(recipe=recipe(settings, HESSIAN, product("rademacher")))
    _, history = run(made, curved, tmp_path)
    for line in history:
        errors = line["validation"]
        expected = sum(errors["reference energy"].values())
        expected += errors["reference hessian"]["rmse"] ** 2 + errors["reference hvp"]["rmse"] ** 2
        assert line["validation_loss"] == pytest.approx(expected)


def test_fixed_probes_stay_and_fresh_ones_do_not(settings, curved, tmp_path, monkeypatch) -> None:
    epochs = {True: [], False: []}
    for fresh, seen in epochs.items():
        probes = Probes(kind="one_hot", fresh=fresh)
        term = LossTerm(quantity="hvp", labels="reference", weight=1, probes=probes)

        def watched(*arguments, seen=seen):
            seen.append(arguments[-1])
            return draw_probes(*arguments)

        monkeypatch.setattr(data, "draw_probes", watched)
        run(settings(recipe=recipe(settings, term)), curved, tmp_path / str(fresh))
    # Three mini-batches of training and one of validation in each of four epochs.
    assert epochs[True] == [number for epoch in (1, 2, 3, 4) for number in (epoch, epoch, 0)]
    assert set(epochs[False]) == {0}


def test_a_cell_is_refused(settings, tmp_path) -> None:
    generator = np.random.default_rng(0)
    members = [random_crystal(generator, 2, (1, 6)) for _ in range(6)]
    dataset = dataset_of(members, energy=np.zeros(6), hessian=np.zeros((24, 3, 3)))
    dataset.splits[:] = [TRAIN, TRAIN, TRAIN, VALIDATION, VALIDATION, TEST]
    write(dataset, tmp_path / "dataset.h5")
    with pytest.raises(InputError, match="expected free molecules for Hessians, got 3"):
        run(settings(recipe=recipe(settings, HESSIAN)), tmp_path / "dataset.h5", tmp_path)
