"""What is done to features one by one, beside plain PyTorch and its automatic derivatives."""

import numpy as np
import pytest
import torch

from mlipkd.hipnn import interaction
from mlipkd.hipnn.batch import Batcher
from mlipkd.hipnn.derivatives import forces
from mlipkd.hipnn.engines.cpu import pointwise
from mlipkd.hipnn.engines.cpu.library import library
from mlipkd.testing import dataset_of, random_crystal, random_molecule

pytestmark = pytest.mark.skipif(library() is None, reason="there was no C++ compiler")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_softplus_is_that_of_torch(dtype) -> None:
    """Over all magnitudes, beyond its linear part, and for lengths that fill no register."""
    x = torch.cat([torch.linspace(-90, 90, 1001), torch.tensor([0.0, -1e-8, 1e-8, 20.0, 1e30])])
    x = x.to(dtype)[None, None]
    value, none = x.clone(), torch.zeros_like(x)
    slope = pointwise.activate_(value, none, torch.zeros(1, dtype=torch.int64))
    rounding = 100 * torch.finfo(dtype).eps  # exp(x) is off by |x| eps, as x is rounded
    torch.testing.assert_close(value, torch.nn.functional.softplus(x), rtol=rounding, atol=1e-37)
    linear = torch.where(x > 20, torch.ones_like(x), torch.sigmoid(x))
    torch.testing.assert_close(slope, linear, rtol=rounding, atol=1e-37)


def test_each_kind_of_atom_has_its_bias() -> None:
    x, bias = torch.randn(2, 4, 5).double(), torch.randn(2, 3, 5).double()
    kind = torch.tensor([0, 2, 1, 2])
    value = x.clone()
    pointwise.activate_(value, bias, kind)
    torch.testing.assert_close(value, torch.nn.functional.softplus(x + bias[:, kind]))


@pytest.mark.parametrize("components", [4, 9])
@pytest.mark.parametrize("features", [1, 6, 17])
def test_norms_and_their_derivatives(components, features) -> None:
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    A, u = normal(2, 5, components, features), normal(2, 5, components, features)
    tau1, tau2, g = normal(2, features), normal(2, features), normal(2, 5, features)
    layer = (A, tau1, tau2, interaction.CUSP)
    found = [
        pointwise.norms(*layer),
        *pointwise.norms_weights(g, *layer),
        *pointwise.norms_along(u, g, *layer),
    ]
    assert torch.equal(pointwise.norms_backward(g, *layer), found[1])
    inputs = [tensor.requires_grad_() for tensor in (g, A, tau1, tau2)]
    out = interaction.norms(A, tau1, tau2 if components == 9 else None)
    options = {"create_graph": True, "materialize_grads": True}
    first = torch.autograd.grad(out, inputs[1:], g, **options)
    second = torch.autograd.grad((first[0] * u).sum(), inputs, materialize_grads=True)
    for one, other in zip(found, (out, *first, *second), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


def test_forces_and_their_derivative() -> None:
    generator = np.random.default_rng(0)
    systems = [random_crystal(generator, 4), random_molecule(generator, 5)]
    batcher = Batcher(dataset_of(systems), (1, 6, 7, 8, 13), 4.5, torch.float64)
    batch = batcher.batch(torch.arange(2))
    gradient = torch.randn(3, *batch.vectors.shape).double().requires_grad_()
    results = [function(gradient, batch) for function in (pointwise.forces, forces)]
    torch.testing.assert_close(*results, rtol=1e-12, atol=1e-12)
    v = torch.randn_like(results[0])
    derivatives = [torch.autograd.grad(one, gradient, v)[0] for one in results]
    torch.testing.assert_close(*derivatives, rtol=1e-12, atol=1e-12)
