"""Curvature: finite differences of forces, and what symmetry asks of a Hessian."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from mlipkd.hipnn import hessian
from mlipkd.hipnn.batch import Batch, Batcher
from mlipkd.hipnn.file import Potential
from mlipkd.hipnn.hessian import Curvature, hessians, multiply, pairs_of
from mlipkd.hipnn.network import HIPNN
from mlipkd.hipnn.prediction import predict
from mlipkd.testing import dataset_of, random_molecule
from tests.models import random_model, small_shape

ELEMENTS = (1, 6)
SHAPES = [small_shape(n_interactions=n, l_max=l_max) for n in (1, 2) for l_max in (0, 1, 2)]
SHAPES.append(small_shape(n_interactions=2, repulsion={"temperature": 300}))


@pytest.fixture(params=SHAPES, ids=lambda s: s.name + ("-repulsion" if s.repulsion else ""))
def model(request) -> HIPNN:
    """Two members with random weights."""
    members = [random_model(request.param, ELEMENTS, seed) for seed in (3, 4)]
    return HIPNN.ensemble(members).requires_grad_()


@pytest.fixture
def molecules() -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Of different sizes, one atom alone among them."""
    generator = np.random.default_rng(5)
    return [random_molecule(generator, atoms, ELEMENTS) for atoms in (4, 1, 6, 2)]


def batch_of(model: HIPNN, configurations) -> Batch:
    batcher = Batcher(dataset_of(configurations), model.species, 4.5, torch.float64)
    return batcher.batch(torch.arange(len(configurations)))


def matrices(model: HIPNN, configurations) -> list[np.ndarray]:
    """The Hessian of each configuration: (members, 3n, 3n)."""
    blocks = hessians(model, batch_of(model, configurations)).detach().numpy()
    found, start = [], 0
    for numbers, _, _ in configurations:
        n = len(numbers)
        own = blocks[:, start : start + n * n].reshape(-1, n, n, 3, 3)
        found.append(own.transpose(0, 1, 3, 2, 4).reshape(-1, 3 * n, 3 * n))
        start += n * n
    return found


def forces_along(model: HIPNN, configuration, v: np.ndarray, step: float) -> np.ndarray:
    """-dF/dε at ε = 0 of the positions R + ε v, by differences of the fourth order."""
    numbers, positions, cell = configuration
    moved = [(numbers, positions + k * step * v, cell) for k in (-2, -1, 1, 2)]
    potential = Potential(model.member(0), {})
    F = predict(potential, dataset_of(moved), ("forces",))["forces"].reshape(4, -1, 3)
    return -(F[0] - 8 * F[1] + 8 * F[2] - F[3]) / (12 * step)


def test_hessians_and_products_are_finite_differences_of_forces(model, molecules) -> None:
    generator = np.random.default_rng(1)
    batch = batch_of(model, molecules)
    v = generator.normal(size=(len(batch.elements), 3))
    products = Curvature(model, batch, training=False).product(torch.from_numpy(v))[0].numpy()
    first = 0
    for configuration, H in zip(molecules, matrices(model, molecules), strict=True):
        n = len(configuration[0])
        own = v[first : first + n]
        expected = forces_along(model, configuration, own, 1e-4)
        scale = max(np.abs(expected).max(), 1e-3)
        np.testing.assert_allclose(products[first : first + n], expected, atol=1e-6 * scale)
        np.testing.assert_allclose((H[0] @ own.ravel()).reshape(n, 3), expected, atol=1e-6 * scale)
        first += n


def test_hessians_are_symmetric_and_nothing_comes_of_moving_everything(model, molecules) -> None:
    for H in matrices(model, molecules):
        size = max(np.abs(H).max(), 1e-3)
        np.testing.assert_allclose(H, H.transpose(0, 2, 1), atol=1e-12 * size)
        together = np.tile(np.eye(3), (H.shape[1] // 3, 1))  # (3n, 3)
        np.testing.assert_allclose(H @ together, 0, atol=1e-12 * size)


def test_turning_everything_turns_the_forces(model, molecules) -> None:
    """H (ω × R) = -ω × F: forces turn with the molecule; and H' = Q H Qᵀ."""
    potential = Potential(model.member(0), {})
    for configuration, (H, _) in zip(molecules, matrices(model, molecules), strict=True):
        numbers, positions, cell = configuration
        F = predict(potential, dataset_of([configuration]), ("forces",))["forces"]
        for omega in np.eye(3):
            found = (H @ np.cross(omega, positions).ravel()).reshape(-1, 3)
            np.testing.assert_allclose(found, -np.cross(omega, F), atol=1e-11)
        turn = Rotation.random(rng=2).as_matrix()
        (turned,) = matrices(model, [(numbers, positions @ turn.T, cell)])
        Q = np.kron(np.eye(len(numbers)), turn)
        np.testing.assert_allclose(turned[0], Q @ H @ Q.T, atol=1e-11)


def test_columns_in_passes_are_the_same(model, molecules, monkeypatch) -> None:
    batch = batch_of(model, molecules)
    whole = hessians(model, batch)
    monkeypatch.setattr(hessian, "BUDGET", 0)  # one atom of each configuration at a time
    passes = list(Curvature(model, batch, training=False).blocks())
    assert [len(rows) for rows, _ in passes] == [13, 12, 10, 10, 6, 6]
    torch.testing.assert_close(hessians(model, batch), whole, rtol=1e-12, atol=1e-12)


def test_a_given_hessian_times_a_vector(model, molecules) -> None:
    batch = batch_of(model, molecules)
    v = torch.randn(len(batch.elements), 3, dtype=torch.float64)
    found = multiply(hessians(model, batch)[1], v, batch)
    expected = Curvature(model, batch, training=False).product(v)[1]
    torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-11)
    i, j = pairs_of(batch)
    assert torch.equal(batch.systems[i], batch.systems[j]) and len(i) == 16 + 1 + 36 + 4


@pytest.mark.parametrize("what", ["product", "blocks"])
def test_derivatives_by_the_weights_are_finite_differences(what) -> None:
    """Of a sum of squares, by moving all weights along one direction."""
    generator = np.random.default_rng(6)
    molecules = [random_molecule(generator, atoms, ELEMENTS) for atoms in (3, 4)]
    for shape in (small_shape(n_interactions=2, l_max=2), small_shape()):
        model = random_model(shape, ELEMENTS, 1).requires_grad_()
        batch = batch_of(model, molecules)
        v = torch.randn(7, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

        def value(training: bool, model=model, batch=batch, v=v) -> torch.Tensor:
            curvature = Curvature(model, batch, training)
            if what == "product":
                return curvature.product(v).square().sum()
            return sum(blocks.square().sum() for _, blocks in curvature.blocks())

        weights = list(model.parameters())
        along = [torch.randn_like(one) * one.detach().abs().mean() for one in weights]
        derivatives = torch.autograd.grad(value(True), weights, materialize_grads=True)
        found = sum((one * d).sum() for one, d in zip(along, derivatives, strict=True))
        values, step = [], 1e-4
        for k in (-2, -1, 1, 2):
            with torch.no_grad():
                for one, direction in zip(weights, along, strict=True):
                    one.add_(direction, alpha=k * step)
            values.append(float(value(False)))
            with torch.no_grad():
                for one, direction in zip(weights, along, strict=True):
                    one.sub_(direction, alpha=k * step)
        expected = (values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * step)
        assert float(found) == pytest.approx(expected, rel=1e-7)
