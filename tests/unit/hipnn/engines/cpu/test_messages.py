"""The compiled messages beside plain PyTorch: values, derivatives and derivatives of those."""

import math

import numpy as np
import pytest
import torch

from mlipkd.hipnn.batch import Batch, Batcher
from mlipkd.hipnn.engines.cpu.library import library
from mlipkd.hipnn.engines.cpu.messages import (
    Layer,
    messages,
    messages_along,
    messages_backward,
    messages_weights,
)
from mlipkd.testing import PARITY, dataset_of, random_crystal, random_molecule

pytestmark = pytest.mark.skipif(library() is None, reason="no compiled CPU kernels")

CUTOFF = 4.5

#: Of the largest value. The exponent t²/2 is up to 25 where a Gaussian counts and is rounded to 24
#: bits, then a derivative multiplies by t² again; the sums themselves add little to that.
SINGLE = 3e-5

NAMES = ("out", "vectors", "μ", "σ", "Q", "∂G", "∂μ", "∂σ", "∂Q")

generator = np.random.default_rng(3)
SYSTEMS = {
    "molecules": [random_molecule(generator, n) for n in (14, 9, 1, 2)],
    "crystals smaller than the cut-off": [random_crystal(generator, n) for n in (5, 1)],
    "one atom": [random_molecule(generator, 1)],
    "isolated atoms": [random_molecule(generator, 1)] * 3,
    "no atoms": [],
}

# components, members, sensitivities, features
SHAPES = [(9, 1, 20, 32), (9, 3, 7, 13), (4, 3, 5, 40), (4, 1, 4, 128), (1, 1, 9, 24), (1, 3, 1, 1)]


def batch_of(name: str, skin: float = 0.4) -> Batch:
    """A batch with pairs a little beyond the cut-off, too."""
    systems = SYSTEMS[name] or SYSTEMS["molecules"]
    batcher = Batcher(dataset_of(systems), (1, 6, 7, 8, 13), CUTOFF + skin, torch.float64)
    return batcher.batch(torch.arange(len(SYSTEMS[name])))


def inputs(
    batch: Batch, shape: tuple[int, int, int, int], dtype: torch.dtype
) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Vectors, μ, σ, Q, G and the directions v and w, all random but the vectors; the indices."""
    components, members, number, features = shape
    atoms = len(batch.elements)
    random = torch.Generator().manual_seed(1)

    def normal(*sizes: int) -> torch.Tensor:
        return torch.randn(*sizes, generator=random, dtype=torch.float64)

    mu = 1 / torch.linspace(1 / 4, 1 / 0.75, number, dtype=torch.float64)
    tensors = [
        batch.vectors.expand(members, -1, -1, -1).clone(),
        mu * (1 + 0.02 * normal(members, number)),
        1.5 * number * (1 + 0.02 * normal(members, number)),
        normal(members, atoms, number, features),
        normal(members, atoms, components, features),
        normal(members, *batch.vectors.shape),
        normal(members, atoms, number, features),
    ]
    differentiable = [tensor.to(dtype).requires_grad_() for tensor in tensors[:5]]
    directions = [tensor.to(dtype) for tensor in tensors[5:]]
    return [*differentiable, *directions], [batch.senders, batch.reverse, batch.bounds]


def plain(vectors, senders, reverse, bounds, mu, sigma, Q, hard_max, components):
    """The definition, as readable as it gets."""
    distances = torch.linalg.vector_norm(vectors, dim=-1)  # (members, atoms, neighbours)
    slots = torch.arange(vectors.shape[2])
    there = (slots < bounds[:, -1:]) & (distances <= hard_max)
    cutoff = torch.where(there, torch.cos(math.pi * distances / (2 * hard_max)) ** 2, 0)
    x, y, z = (vectors / distances[..., None]).unbind(-1)
    third = (x * x + y * y + z * z) / 3
    tensors = [torch.ones_like(x), x, y, z]
    tensors += [x * x - third, x * y, x * z, y * y - third, y * z]
    weights = torch.stack(tensors[:components], dim=2) * cutoff[:, :, None]
    t = sigma[:, None, None] * (1 / distances[..., None] - 1 / mu[:, None, None])
    gaussians = torch.exp(-0.5 * t**2)
    return torch.einsum("micp,mipk,mipkf->micf", weights, gaussians, Q[:, senders])


def by_autograd(tensors, indices, components) -> list[torch.Tensor]:
    """The value, its derivatives, and the derivatives of those along v and w, of ``plain``."""
    vectors, mu, sigma, Q, G, v, w = tensors
    out = plain(vectors, *indices, mu, sigma, Q, CUTOFF, components)
    first = torch.autograd.grad(out, (vectors, mu, sigma, Q), G, create_graph=True)
    along = (first[0] * v).sum() + (first[3] * w).sum()
    return [out, *first, *torch.autograd.grad(along, (G, mu, sigma, Q))]


def by_kernel(tensors, indices, components) -> list[torch.Tensor]:
    """The same by the kernel."""
    vectors, mu, sigma, Q, G, v, w = (tensor.detach() for tensor in tensors)
    layer = Layer(vectors[0], *indices, mu, sigma, Q, CUTOFF, components)
    dvectors, dQ = messages_backward(G, layer)
    dmu, dsigma, again = messages_weights(G, layer)
    assert torch.equal(dQ, again)
    return [messages(layer), dvectors, dmu, dsigma, dQ, *messages_along(v, w, G, layer)]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["double", "single"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", SYSTEMS)
def test_as_plain_pytorch(name, shape, dtype) -> None:
    batch = batch_of(name)
    expected = by_autograd(*inputs(batch, shape, torch.float64), shape[0])
    found = by_kernel(*inputs(batch, shape, dtype), shape[0])
    tolerance = PARITY if dtype == torch.float64 else SINGLE
    for what, one, other in zip(NAMES, found, expected, strict=True):
        assert one.shape == other.shape and one.dtype == dtype, what
        largest = float(other.detach().abs().max()) if other.numel() else 0.0
        error = float((one - other).detach().abs().max()) if other.numel() else 0.0
        assert error <= tolerance * largest, what


@pytest.mark.parametrize("missing", ["v", "w"])
def test_one_direction_by_itself(missing) -> None:
    tensors, indices = inputs(batch_of("molecules"), (9, 1, 6, 16), torch.float64)
    tensors[5 if missing == "v" else 6].zero_()
    results = [way(tensors, indices, 9)[5:] for way in (by_kernel, by_autograd)]
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-10 * float(other.abs().max()))


def test_pairs_beyond_the_cutoff_and_filling_count_for_nothing() -> None:
    batch = batch_of("molecules", skin=2.0)
    tensors, indices = inputs(batch, (9, 1, 6, 16), torch.float64)
    found = by_kernel(tensors, indices, 9)
    distances = torch.linalg.vector_norm(batch.vectors, dim=-1)
    slots = torch.arange(batch.vectors.shape[1])
    counts = (slots < batch.bounds[:, -1:]) & (distances <= CUTOFF)
    assert (~counts).any() and (slots >= batch.bounds[:, -1:]).any()
    assert (found[1][0][~counts] == 0).all() and (found[1][0][counts] != 0).all()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["double", "single"])
def test_threads(dtype) -> None:
    """The same again with one thread; with two, the sums over all atoms are rounded otherwise."""
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 1, 2):
            torch.set_num_threads(threads)
            tensors, indices = inputs(batch_of("molecules"), (9, 3, 20, 32), dtype)
            results.append(by_kernel(tensors, indices, 9))
    finally:
        torch.set_num_threads(before)
    for one, again, other in zip(*results, strict=True):
        assert torch.equal(one, again)
        bound = 100 * torch.finfo(dtype).eps * float(one.detach().abs().max())
        torch.testing.assert_close(one, other, rtol=0, atol=bound)
