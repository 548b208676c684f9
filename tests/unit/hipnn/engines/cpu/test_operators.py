"""The operators of the kernels: schemas, fake kernels and derivatives, as export asks for them."""

import pytest
import torch

from mlipkd.errors import InputError
from mlipkd.hipnn.engines import choose_engine
from mlipkd.hipnn.engines.cpu import environment, pointwise
from mlipkd.hipnn.engines.cpu.library import library
from mlipkd.hipnn.initial import initialise
from mlipkd.hipnn.network import HIPNN
from mlipkd.testing import small_shape

needs_kernels = pytest.mark.skipif(library() is None, reason="there was no C++ compiler")


def inputs() -> tuple:
    generator = torch.Generator().manual_seed(0)
    vectors = 1.5 * torch.randn(5, 6, 3, generator=generator, dtype=torch.float64)
    bounds = torch.tensor([[0, 2, 6], [0, 0, 3], [0, 4, 4], [0, 0, 0], [0, 1, 5]])
    mu = 1 + torch.rand(2, 3, generator=generator, dtype=torch.float64)
    sigma = 4 + torch.rand(2, 3, generator=generator, dtype=torch.float64)
    return vectors.expand(2, -1, -1, -1), bounds.int(), mu, sigma, 4.0, 4


@needs_kernels
def test_operators_are_sound() -> None:
    tests = ("test_schema", "test_faketensor")
    env = environment.environment(*inputs())
    torch.library.opcheck(environment.environment, inputs(), test_utils=tests)
    torch.library.opcheck(
        environment.environment_backward, (env, *inputs(), True, True), test_utils=tests
    )
    torch.library.opcheck(
        environment.environment_along, (inputs()[0].clone(), env, *inputs()), test_utils=tests
    )
    A, tau = torch.rand(2, 5, 9, 6, dtype=torch.float64), torch.rand(2, 6, dtype=torch.float64)
    g = A[:, :, 0].contiguous()
    torch.library.opcheck(pointwise.norms, (A, tau, tau.clone(), 1e-6), test_utils=tests)
    torch.library.opcheck(
        pointwise.norms_backward, (g, A, tau, tau.clone(), 1e-6, True), test_utils=tests
    )
    torch.library.opcheck(pointwise.softplus_and_slope, (g,), test_utils=tests)


@needs_kernels
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_softplus_is_that_of_torch(dtype) -> None:
    """Over all magnitudes, beyond its linear part, and for lengths that fill no register."""
    x = torch.cat([torch.linspace(-90, 90, 1001), torch.tensor([0.0, -1e-8, 1e-8, 20.0, 1e30])])
    x = x.to(dtype)[None]
    value, slope = pointwise.softplus_and_slope(x)
    rounding = 100 * torch.finfo(dtype).eps  # exp(x) is off by |x| eps, as x is rounded
    torch.testing.assert_close(value, torch.nn.functional.softplus(x), rtol=rounding, atol=1e-37)
    linear = torch.where(x > 20, torch.ones_like(x), torch.sigmoid(x))
    torch.testing.assert_close(slope, linear, rtol=rounding, atol=1e-37)


@needs_kernels
def test_a_model_on_the_kernels_can_be_traced(monkeypatch) -> None:
    """torch.export sees the operators by their fake kernels, as one node each."""
    monkeypatch.setenv("MLIPKD_ENGINE", "cpu")
    from mlipkd.hipnn.batch import Batch

    shape = small_shape(n_interactions=2, l_max=2, width=16, sensitivities=3, hard_max=4.0)
    model = HIPNN(shape, (1, 6))
    initialise(model, 0)
    vectors, bounds, *_ = inputs()

    class Energies(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, vectors, elements, senders, bounds, reverse):
            zeros = torch.zeros_like(elements)
            batch = Batch(elements, zeros, zeros[:1], zeros[:1], vectors, senders, bounds, reverse)
            return self.model(batch)

    given = (
        vectors[0].float(),
        torch.tensor([0, 1, 0, 1, 1]),
        torch.zeros(5, 6, dtype=torch.int64),
        bounds,
        torch.arange(30),
    )
    program = torch.export.export(Energies(), given)
    names = {str(node.target) for node in program.graph.nodes}
    assert {"mlipkd.environment.default", "mlipkd.messages.default"} <= names
    torch.testing.assert_close(program.module()(*given), Energies()(*given))


def test_an_engine_that_is_not_there_is_refused(monkeypatch) -> None:
    monkeypatch.setenv("MLIPKD_ENGINE", "steam")
    with pytest.raises(InputError, match=r"MLIPKD_ENGINE: expected one of reference.*got 'steam'"):
        choose_engine("cpu")
