"""What physics asks of a model whatever its weights, of every engine as production runs it."""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec
from multiprocessing import get_context
from unittest.mock import patch

import numpy as np
import pytest
import torch
from ase.calculators.emt import EMT

from mlipkd.config.model import Architecture
from mlipkd.deploy.ase import MLIPKD
from mlipkd.errors import InputError
from mlipkd.hipnn.batch import Batcher
from mlipkd.hipnn.engines import ENGINES, engine_of
from mlipkd.hipnn.engines.reference import pair_gradient
from mlipkd.hipnn.engines.triton import differentiable
from mlipkd.hipnn.file import Potential
from mlipkd.hipnn.network import HIPNN
from mlipkd.hipnn.prediction import predict
from mlipkd.testing import (
    CONTRACT,
    PARITY,
    dataset_of,
    of_calculator,
    of_potential,
    random_crystal,
    random_molecule,
)
from tests.models import CPU_ENGINES, random_model, small_shape

ELEMENTS = (1, 6, 8)
REPULSION = {"repulsion": {"temperature": 300}}
SHAPES = [small_shape(n_interactions=n, l_max=l_max) for n in (1, 2) for l_max in (0, 1, 2)]
SHAPES += [small_shape(n_interactions=n, **REPULSION) for n in (1, 2)]
#: Few pairs, as an interpreter goes through them one by one.
TINY = small_shape(n_interactions=2, l_max=2, width=4, sensitivities=3, soft_max=2.0, hard_max=2.2)
WAYS = {
    "in batches": of_potential,
    "as an ASE calculator": lambda potential: of_calculator(MLIPKD(potential), ELEMENTS, 4.5),
}


def name_of(shape: Architecture) -> str:
    return shape.name + ("" if shape.repulsion is None else "-repulsion")


def potential_of(shape: Architecture) -> Potential:
    """A model with random weights and element energies."""
    model = random_model(shape, ELEMENTS, seed=3)
    model.E0.copy_(torch.tensor([-13.0, -1030.0, -2040.0]))
    return Potential(model, {})


@pytest.mark.parametrize("engine", CPU_ENGINES)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("shape", SHAPES, ids=name_of)
@pytest.mark.parametrize("check", CONTRACT)
def test_contract(check, shape, way, engine, monkeypatch) -> None:
    monkeypatch.setenv("MLIPKD_ENGINE", engine)
    check(WAYS[way](potential_of(shape)))


@pytest.mark.parametrize("check", CONTRACT)
def test_contract_of_a_calculator_of_others(check) -> None:
    check(of_calculator(EMT(), (13, 29)))


class Broken(EMT):
    """Forces that are no derivative of the energy."""

    def calculate(self, *options) -> None:
        super().calculate(*options)
        self.results["forces"] = 1.001 * self.results["forces"]


def test_a_model_that_breaks_it_is_noticed() -> None:
    with pytest.raises(AssertionError):
        CONTRACT[0](of_calculator(Broken(), (13, 29)))


@pytest.fixture(scope="module")
def interpreter():
    """A process whose Triton kernels run in Triton's interpreter, on the CPU."""
    if find_spec("triton") is None:
        pytest.skip("Triton is not installed; pip install '.[test]' on Linux")
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        with pytest.MonkeyPatch.context() as variables:
            variables.setenv("TRITON_INTERPRET", "1")
            pool.submit(int).result()  # the first call starts the process
        yield pool


def with_triton(function: Callable[..., None], *arguments) -> None:
    """Call a function with the Triton engine in the place of all others."""
    with patch.dict(ENGINES, dict.fromkeys(ENGINES, ENGINES["triton"])):
        function(*arguments)


def check_potential(check: Callable, shape: Architecture) -> None:
    check(of_potential(potential_of(shape)))


@pytest.mark.slow
@pytest.mark.parametrize("check", CONTRACT)
def test_contract_of_the_triton_engine(check, interpreter) -> None:
    interpreter.submit(with_triton, check_potential, check, TINY).result(timeout=1200)


def check_force_training(shape: Architecture) -> None:
    """d(force loss)/d(weights), which needs second derivatives of everything."""
    generator = np.random.default_rng(11)
    members = [random_molecule(generator, 5, ELEMENTS), random_crystal(generator, 4, ELEMENTS)]
    model = random_model(shape, ELEMENTS, seed=1)
    batcher = Batcher(dataset_of(members), ELEMENTS, shape.hard_max, torch.float64)
    batch, engine = batcher.batch(torch.arange(2)), engine_of(model)

    def force_loss(model: HIPNN) -> torch.Tensor:
        _, gradient = engine.orders_and_gradient(model, batch, derivatives=True, training=True)
        return (engine.forces(gradient, batch) * 50).square().sum()

    force_loss(model).backward()
    step = 1e-5
    for name, weights in model.named_parameters():
        last = f"blocks.{shape.n_interactions - 1}.atom_layers.0.outer.bias"
        if name in ("b", last):  # what is only added to the energy moves no force
            assert weights.grad is None or not weights.grad.any()
            continue
        entry = (0,) * weights.ndim
        values = []
        for sign in (1, -1):
            with torch.no_grad():
                weights[entry] += sign * step
            values.append(force_loss(model).item())
            with torch.no_grad():
                weights[entry] -= sign * step
        derivative = (values[0] - values[1]) / (2 * step)
        assert float(weights.grad[entry]) == pytest.approx(derivative, rel=1e-4, abs=1e-7), name


@pytest.mark.parametrize("engine", CPU_ENGINES)
@pytest.mark.parametrize("shape", SHAPES, ids=name_of)
def test_derivatives_of_force_training_are_finite_differences(shape, engine, monkeypatch) -> None:
    monkeypatch.setenv("MLIPKD_ENGINE", engine)
    check_force_training(shape)


def check_beside_the_reference() -> None:
    """Energies, forces and what training needs, of an ensemble; and no Hessian, rather than wrong.

    In the interpreter kernels are exact, so what is compared is how they are put together.
    """
    model = HIPNN.ensemble([random_model(TINY, ELEMENTS, seed) for seed in (1, 2)])
    members = [random_molecule(np.random.default_rng(11), n, ELEMENTS) for n in (3, 1)]
    batcher = Batcher(dataset_of(members), ELEMENTS, TINY.hard_max, torch.float64)
    batch, results = batcher.batch(torch.arange(2)), []
    for engine in (ENGINES["triton"], ENGINES["reference"]):
        orders, gradient = engine.orders_and_gradient(model, batch, derivatives=True, training=True)
        forces = engine.forces(gradient, batch)
        loss = orders.square().sum() + (50 * forces).square().sum()
        derivatives = torch.autograd.grad(loss, list(model.parameters()))
        quick = engine.orders_and_gradient(model, batch, derivatives=True, training=False)
        assert torch.equal(quick[0], orders) and torch.equal(quick[1], gradient)
        results.append([orders, forces, *derivatives])
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=PARITY, atol=1e-10 * float(other.abs().max()))
    around = model.surroundings(batch, True, differentiable.KernelSurroundings)
    gradient = pair_gradient(model(around), around, graph=True)
    (second,) = torch.autograd.grad(gradient.sum(), around.vectors)
    assert second.isnan().all()


def test_the_triton_engine_beside_the_reference(interpreter) -> None:
    interpreter.submit(check_beside_the_reference).result(timeout=1200)


@pytest.mark.slow
def test_derivatives_of_force_training_by_triton(interpreter) -> None:
    interpreter.submit(with_triton, check_force_training, TINY).result(timeout=1200)


@pytest.mark.parametrize("engine", CPU_ENGINES)
def test_unknown_elements_are_refused(engine, monkeypatch) -> None:
    monkeypatch.setenv("MLIPKD_ENGINE", engine)
    dataset = dataset_of([(np.array([1, 79]), np.eye(3)[:2], np.zeros((3, 3)))])
    with pytest.raises(InputError, match=r"79.*train on data"):
        predict(potential_of(SHAPES[0]), dataset)
