"""Members in one pass give what each gives alone, and what is written out is what is derived."""

import numpy as np
import pytest
import torch

from mlipkd.errors import InputError
from mlipkd.hipnn.batch import Batch, Batcher
from mlipkd.hipnn.derivatives import (
    forces,
    orders_and_gradient,
    pair_gradient,
    pair_vectors,
    per_system,
    stress,
)
from mlipkd.hipnn.engines.cpu import analytic
from mlipkd.hipnn.engines.cpu.library import library
from mlipkd.hipnn.network import HIPNN
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
SHAPES = [
    small_shape(n_interactions=n, l_max=l_max, atom_layers=layers, width=width)
    for n, layers, width in ((1, 1, 6), (1, 0, 3), (2, 2, 17), (2, 0, 3), (3, 1, 4))
    for l_max in (0, 1, 2)
]
SHAPES += [small_shape(n_interactions=n, repulsion={"temperature": 300}) for n in (1, 2)]


@pytest.fixture(
    params=SHAPES, ids=lambda shape: shape.name + ("-repulsion" if shape.repulsion else "")
)
def ensemble(request) -> HIPNN:
    """Three members with random weights."""
    return HIPNN.ensemble([random_model(request.param, ELEMENTS, seed) for seed in range(3)])


@pytest.fixture
def batch(ensemble) -> Batch:
    """A molecule, a crystal smaller than the cut-off, an isolated atom, another molecule."""
    generator = np.random.default_rng(2)
    systems = [
        random_molecule(generator, 5, ELEMENTS),
        random_crystal(generator, 4, ELEMENTS),
        random_molecule(generator, 1, ELEMENTS),
        random_molecule(generator, 7, ELEMENTS),
    ]
    cutoff = ensemble.architecture.hard_max
    batcher = Batcher(dataset_of(systems), ELEMENTS, cutoff, torch.float64)
    return batcher.batch(torch.arange(len(systems)))


def relative(found: torch.Tensor, truth: torch.Tensor) -> float:
    return float((found - truth).abs().max() / truth.abs().max().clamp(min=1e-6))


@pytest.mark.parametrize("engine", CPU_ENGINES)
def test_members_give_what_each_gives_alone(ensemble, batch, engine, monkeypatch) -> None:
    monkeypatch.setenv("MLIPKD_ENGINE", engine)
    orders, gradient = orders_and_gradient(ensemble, batch, derivatives=True, training=False)
    for number in range(ensemble.members):
        alone = ensemble.member(number)
        truth = orders_and_gradient(alone, batch, derivatives=True, training=False)
        assert relative(orders[number], truth[0][0]) < PARITY
        assert relative(gradient[number], truth[1][0]) < PARITY


def physical(model: HIPNN, gradient: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Forces and virial; how the pairs ij and ji share what r_ij = r_ji gives is a convention."""
    virial = torch.einsum("ija,mijb->mab", batch.vectors, gradient)
    return torch.cat([forces(model, gradient, batch), virial], dim=1)


def truth_of(model: HIPNN, batch: Batch, monkeypatch) -> tuple[torch.Tensor, torch.Tensor]:
    """E_iⁿ, and forces and virial by automatic differentiation of the reference."""
    with monkeypatch.context() as variables:
        variables.setenv("MLIPKD_ENGINE", "reference")
        vectors = pair_vectors(model, batch)
        orders = model(batch, vectors)
        gradient = pair_gradient(orders, vectors, training=True)
        return orders, physical(model, gradient, batch)


@pytest.mark.skipif(library() is None, reason="there was no C++ compiler for the kernels")
@pytest.mark.parametrize("derivatives", [True, False], ids=["forces", "energies"])
def test_derivatives_by_weights_are_those_of_the_reference(
    ensemble, batch, derivatives, monkeypatch
) -> None:
    """Of functions that are not linear in energies, forces and virial."""
    generator = torch.Generator().manual_seed(1)
    truth = truth_of(ensemble, batch, monkeypatch)
    orders, gradient = analytic.orders_and_gradient(ensemble, batch, derivatives, training=True)
    found = (orders, None if gradient is None else physical(ensemble, gradient, batch))
    factors = [torch.randn(one.shape, generator=generator).double() for one in truth]

    def function(orders: torch.Tensor, physics: torch.Tensor | None) -> torch.Tensor:
        total = (factors[0] * (orders + orders**2)).sum()
        if physics is not None:
            total = total + (factors[1] * (physics + physics**2)).sum()
        return total

    weights = list(ensemble.parameters())
    wanted = function(truth[0], truth[1] if derivatives else None)
    right = torch.autograd.grad(wanted, weights, materialize_grads=True)
    got = torch.autograd.grad(function(*found), weights, materialize_grads=True)
    for (name, _), one, other in zip(ensemble.named_parameters(), got, right, strict=True):
        assert one.shape == other.shape
        assert relative(one, other) < PARITY, name


@pytest.mark.skipif(library() is None, reason="there was no C++ compiler for the kernels")
def test_operators_of_automatic_differentiation_are_right_too(ensemble, batch, monkeypatch) -> None:
    """The model on the kernels, as what is exported or compiled goes through it."""
    monkeypatch.setenv("MLIPKD_ENGINE", "cpu")
    vectors = pair_vectors(ensemble, batch)
    orders = ensemble(batch, vectors)
    found = physical(ensemble, pair_gradient(orders, vectors, training=True), batch)
    true_orders, truth = truth_of(ensemble, batch, monkeypatch)
    assert relative(orders, true_orders) < PARITY
    assert relative(found, truth) < PARITY
    weights = list(ensemble.parameters())
    got = torch.autograd.grad(found.square().sum(), weights, materialize_grads=True)
    right = torch.autograd.grad(truth.square().sum(), weights, materialize_grads=True)
    for (name, _), one, other in zip(ensemble.named_parameters(), got, right, strict=True):
        assert relative(one, other) < PARITY, name


@pytest.mark.skipif(library() is None, reason="there was no C++ compiler for the kernels")
def test_single_precision_is_right_to_rounding(ensemble, batch, monkeypatch) -> None:
    true_orders, truth = truth_of(ensemble, batch, monkeypatch)
    single = ensemble.float()
    batch.vectors = batch.vectors.float()
    orders, gradient = analytic.orders_and_gradient(single, batch, True, training=False)
    # Some hundred terms of like size, each rounded to 6e-8.
    assert relative(orders, true_orders) < 1e-5
    assert relative(physical(single, gradient, batch), truth) < 1e-4


@pytest.mark.skipif(library() is None, reason="there was no C++ compiler for the kernels")
def test_the_number_of_threads_changes_nothing_but_rounding(ensemble, batch) -> None:
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 1, 2, 2):
            torch.set_num_threads(threads)
            found = analytic.orders_and_gradient(ensemble, batch, True, training=True)
            total = (found[0] ** 2).sum() + (found[1] ** 2).sum()
            results.append(torch.autograd.grad(total, list(ensemble.parameters())))
    finally:
        torch.set_num_threads(before)
    for one, again, two, two_again in zip(*results, strict=True):
        assert torch.equal(one, again)
        assert torch.equal(two, two_again)
        assert relative(two, one) < PARITY


def test_a_hessian_needs_the_reference(ensemble, batch, monkeypatch) -> None:
    """Second derivatives by positions are right with the reference, and never silently wrong."""
    for engine in CPU_ENGINES:
        monkeypatch.setenv("MLIPKD_ENGINE", engine)
        vectors = pair_vectors(ensemble, batch)
        gradient = pair_gradient(ensemble(batch, vectors), vectors, training=True)
        direction = torch.randn(vectors.shape, generator=torch.Generator().manual_seed(4)).double()
        (product,) = torch.autograd.grad((gradient * direction).sum(), vectors)
        if engine == "cpu":
            assert torch.isnan(product).all()
            continue
        step = 1e-5
        ends = []
        for sign in (1, -1):
            moved = (vectors + sign * step * direction).detach().requires_grad_()
            ends.append(pair_gradient(ensemble(batch, moved), moved, training=False))
        difference = (ends[0] - ends[1]) / (2 * step)
        assert relative(product, difference) < 1e-5


def test_forces_and_stress_of_members(ensemble, batch) -> None:
    _, gradient = orders_and_gradient(ensemble, batch, derivatives=True, training=False)
    F = forces(ensemble, gradient, batch)
    assert F.shape == (3, len(batch.elements), 3)
    sums = per_system(F, batch)
    assert float(sums.abs().max()) < 1e-9  # actio = reactio
    tensors = stress(gradient, batch)
    assert torch.isnan(tensors[:, 0]).all()
    torch.testing.assert_close(tensors[:, 1], tensors[:, 1].mT)  # no torque either


def test_members_of_different_shapes_are_refused() -> None:
    models = [HIPNN(shape, ELEMENTS) for shape in SHAPES[:2]]
    with pytest.raises(InputError, match="expected members of one architecture"):
        HIPNN.ensemble(models)
