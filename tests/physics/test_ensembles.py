"""Members in one pass give what each gives by itself, and engines what the reference gives."""

import numpy as np
import pytest
import torch

from mlipkd.errors import InputError
from mlipkd.hipnn.batch import Batch, Batcher
from mlipkd.hipnn.derivatives import per_system, stress
from mlipkd.hipnn.engines import ENGINES, Engine, engine_of
from mlipkd.hipnn.engines.reference import pair_gradient
from mlipkd.hipnn.network import HIPNN
from mlipkd.testing import PARITY, dataset_of, random_crystal, random_molecule
from tests.models import CPU_ENGINES, random_model, small_shape

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


@pytest.fixture(params=CPU_ENGINES)
def engine(request, monkeypatch) -> Engine:
    """The engines of this machine."""
    monkeypatch.setenv("MLIPKD_ENGINE", request.param)
    return ENGINES[request.param]


def test_members_give_what_each_gives_by_itself(ensemble, batch, engine) -> None:
    orders, gradient = engine.orders_and_gradient(ensemble, batch, derivatives=True, training=False)
    for number in range(ensemble.members):
        single = ensemble.member(number)
        truth = engine.orders_and_gradient(single, batch, derivatives=True, training=False)
        assert relative(orders[number], truth[0][0]) < PARITY
        assert relative(gradient[number], truth[1][0]) < PARITY


def physical(engine: Engine, gradient: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Forces and virial; how the pairs ij and ji share what r_ij = r_ji gives is a convention."""
    virial = torch.einsum("ija,mijb->mab", batch.vectors, gradient)
    return torch.cat([engine.forces(gradient, batch), virial], dim=1)


def truth_of(model: HIPNN, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """E_iⁿ, and forces and virial by automatic differentiation of the reference."""
    around = model.surroundings(batch, derivatives=True)
    orders = model(around)
    gradient = pair_gradient(orders, around, graph=True)
    return orders, physical(ENGINES["reference"], gradient, batch)


@pytest.mark.parametrize("derivatives", [True, False], ids=["forces", "energies"])
def test_derivatives_with_respect_to_weights_are_those_of_the_reference(
    ensemble, batch, derivatives, engine
) -> None:
    """Of functions that are not linear in energies, forces and virial."""
    generator = torch.Generator().manual_seed(1)
    truth = truth_of(ensemble, batch)
    orders, gradient = engine.orders_and_gradient(ensemble, batch, derivatives, training=True)
    results = (orders, None if gradient is None else physical(engine, gradient, batch))
    factors = [torch.randn(one.shape, generator=generator).double() for one in truth]

    def function(orders: torch.Tensor, physics: torch.Tensor | None) -> torch.Tensor:
        total = (factors[0] * (orders + orders**2)).sum()
        if physics is not None:
            total = total + (factors[1] * (physics + physics**2)).sum()
        return total

    weights = list(ensemble.parameters())
    expected = function(truth[0], truth[1] if derivatives else None)
    right = torch.autograd.grad(expected, weights, materialize_grads=True)
    got = torch.autograd.grad(function(*results), weights, materialize_grads=True)
    for (name, _), one, other in zip(ensemble.named_parameters(), got, right, strict=True):
        assert one.shape == other.shape
        assert relative(one, other) < PARITY, name


def test_single_precision_is_right_to_rounding(ensemble, batch, engine) -> None:
    true_orders, truth = truth_of(ensemble, batch)
    single = ensemble.float()
    batch.vectors = batch.vectors.float()
    orders, gradient = engine.orders_and_gradient(single, batch, derivatives=True, training=False)
    # Some hundred terms of like size, each rounded to 6e-8.
    assert relative(orders, true_orders) < 1e-5
    assert relative(physical(engine, gradient, batch), truth) < 1e-4


def test_the_number_of_threads_changes_nothing_but_rounding(ensemble, batch, engine) -> None:
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 1, 2, 2):
            torch.set_num_threads(threads)
            found = engine.orders_and_gradient(ensemble, batch, derivatives=True, training=True)
            total = (found[0] ** 2).sum() + (found[1] ** 2).sum()
            results.append(torch.autograd.grad(total, list(ensemble.parameters())))
    finally:
        torch.set_num_threads(before)
    for one, again, two, two_again in zip(*results, strict=True):
        assert torch.equal(one, again)
        assert torch.equal(two, two_again)
        assert relative(two, one) < PARITY


def test_the_reference_can_be_differentiated_twice(ensemble, batch) -> None:
    """Second derivatives with respect to positions, which Hessians are made of."""
    around = ensemble.surroundings(batch, derivatives=True)
    gradient = pair_gradient(ensemble(around), around, graph=True)
    direction = torch.randn(gradient.shape, generator=torch.Generator().manual_seed(4)).double()
    (product,) = torch.autograd.grad((gradient * direction).sum(), around.vectors)
    step = 1e-5
    ends = []
    for sign in (1, -1):
        moved = ensemble.surroundings(batch, derivatives=True)
        moved.vectors = (around.vectors + sign * step * direction).detach().requires_grad_()
        ends.append(pair_gradient(ensemble(moved), moved, graph=False))
    difference = (ends[0] - ends[1]) / (2 * step)
    assert relative(product, difference) < 1e-5


@pytest.mark.skipif("cpu" not in CPU_ENGINES, reason="installed without a compiler")
def test_second_derivatives_that_the_kernels_lack_are_refused(ensemble, batch) -> None:
    """Where they would silently be wrong."""
    weights = list(ensemble.parameters())
    orders, gradient = ENGINES["cpu"].orders_and_gradient(ensemble, batch, True, training=True)
    total = (orders**2).sum() + (gradient**2).sum()
    first = torch.autograd.grad(total, weights, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        torch.stack([(gradient**2).sum() for gradient in first]).sum().backward()


def test_forces_and_stress_of_members(ensemble, batch) -> None:
    engine = engine_of(ensemble)
    _, gradient = engine.orders_and_gradient(ensemble, batch, derivatives=True, training=False)
    F = engine.forces(gradient, batch)
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
