"""The Triton kernels beside plain PyTorch and its automatic derivatives.

Without a GPU they run in Triton's interpreter, in a process of their own: the interpreter must be
chosen before Triton is imported, and then for all kernels.
"""

import importlib.util
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

import numpy as np
import pytest
import torch

from mlipkd.hipnn.batch import Batch, Batcher
from mlipkd.hipnn.engines.triton import kernels as kernels
from mlipkd.testing import PARITY, dataset_of, random_crystal, random_molecule

if importlib.util.find_spec("triton") is None:
    pytest.skip("Triton is not installed; pip install '.[test]' on Linux", allow_module_level=True)

CUTOFF = 3.0
SPECIES = (1, 6, 8)
# In single precision σ/r, 15 at most, is rounded by 1e-6, and t with it; a Gaussian and each of its
# derivatives is then off by a few times as much, next to its largest value.
SINGLE = 2e-5


@pytest.fixture(scope="module")
def run():
    """A function that runs one of the kernels' functions on tensors of the CPU."""
    if torch.cuda.is_available():

        def on_gpu(function, *inputs):
            tensors = (x.cuda() if isinstance(x, torch.Tensor) else x for x in inputs)
            outputs = function(*tensors)
            if isinstance(outputs, torch.Tensor):
                return outputs.cpu()
            return tuple(tensor.cpu() for tensor in outputs)

        yield on_gpu
    else:
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            with pytest.MonkeyPatch.context() as variables:
                variables.setenv("TRITON_INTERPRET", "1")
                pool.submit(int).result()  # the first call starts the process
            yield lambda *call: pool.submit(*call).result(timeout=900)


@dataclass
class Case:
    """Some configurations, and the models that look at them."""

    configurations: list
    members: int
    components: int
    sensitivities: int
    features: int
    hard_max: float = CUTOFF
    dtype: torch.dtype = torch.float64

    def batch(self) -> Batch:
        batcher = Batcher(dataset_of(self.configurations), SPECIES, CUTOFF, self.dtype)
        return batcher.batch(torch.arange(len(self.configurations)))


def cases() -> dict[str, Any]:
    def molecules(*sizes):
        generator = np.random.default_rng(3)
        return [random_molecule(generator, size, SPECIES) for size in sizes]

    crystal = random_crystal(np.random.default_rng(4), 2, (6, 8), side=2.4)
    crowd = random_crystal(np.random.default_rng(5), 1, (6,), side=2.0)
    return {
        "molecules of several elements": Case(molecules(3, 1, 4), 3, 9, 5, 6),
        "single precision": Case(molecules(2, 4), 1, 9, 5, 6, dtype=torch.float32),
        "no directions": Case(molecules(5), 1, 1, 4, 3),
        "atoms that neighbour themselves": Case([crystal], 1, 4, 7, 5),
        "one atom among its images": Case([crowd], 1, 9, 3, 1),
        "many features": Case(molecules(3), 1, 4, 7, 300),
        "one sensitivity": Case(molecules(3), 3, 4, 1, 2),
        "pairs beyond the cut-off": Case(molecules(5), 1, 9, 5, 6, hard_max=0.5 * CUTOFF),
        "isolated atoms": Case(molecules(1, 1), 3, 9, 5, 6),
    }


@pytest.fixture(params=cases().items(), ids=lambda item: item[0])
def case(request) -> Case:
    return request.param[1]


def directions(vectors: torch.Tensor, components: int) -> torch.Tensor:
    """T of some vectors: (…, 3) → (…, components)."""
    h = vectors / vectors.norm(dim=-1, keepdim=True)
    tensor = h[..., :, None] * h[..., None, :] - torch.eye(3, dtype=h.dtype) / 3
    five = tensor.flatten(-2)[..., [0, 1, 2, 4, 5]]
    return torch.cat([torch.ones_like(h[..., :1]), h, five], dim=-1)[..., :components]


def pairs_of(vectors, mu, sigma, batch: Batch, case: Case):
    """i and j of each pair; T of it, c times the Gaussians: (members, pairs, …)."""
    i, p = torch.nonzero(torch.arange(vectors.shape[2]) < batch.bounds[:, -1:], as_tuple=True)
    vectors = vectors[:, i, p]
    r = vectors.norm(dim=-1, keepdim=True)  # (members, pairs, 1)
    gaussians = torch.exp(-0.5 * (sigma[:, None] * (1 / r - 1 / mu[:, None])) ** 2)
    cosine = torch.cos(torch.pi * r / (2 * case.hard_max)) * (r <= case.hard_max)
    return i, batch.senders[i, p], directions(vectors, case.components), cosine**2 * gaussians


def environment(vectors, mu, sigma, batch: Batch, case: Case) -> torch.Tensor:
    i, j, T, s = pairs_of(vectors, mu, sigma, batch, case)
    terms = T[..., None] * s[:, :, None]  # (members, pairs, components, sensitivities)
    elements, members = len(SPECIES), len(mu)
    env = terms.new_zeros(members, len(batch.elements) * elements, *terms.shape[2:])
    env = env.index_add(1, i * elements + batch.elements[j], terms)
    return env.unflatten(1, (-1, elements)).transpose(2, 3)


def messages(vectors, mu, sigma, Q, batch: Batch, case: Case) -> torch.Tensor:
    i, j, T, s = pairs_of(vectors, mu, sigma, batch, case)
    sent = (s[..., None] * Q[:, j]).sum(2)  # (members, pairs, features)
    out = Q.new_zeros(len(mu), len(batch.elements), case.components, case.features)
    return out.index_add(1, i, T[..., None] * sent[:, :, None])


def parameters(case: Case) -> tuple[torch.Tensor, torch.Tensor]:
    """μ and σ of each member."""
    shape = (case.members, case.sensitivities)
    mu = 0.8 + 2 * torch.rand(shape, dtype=torch.float64)
    return mu.to(case.dtype), (4 + 8 * torch.rand(shape, dtype=torch.float64)).to(case.dtype)


def random(*shape, case: Case) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64).to(case.dtype)


def doubles(*tensors: torch.Tensor) -> list[torch.Tensor]:
    """Copies of double precision to derive by."""
    return [tensor.double().clone().requires_grad_() for tensor in tensors]


def check(found, wanted, case: Case) -> None:
    """Compare tensors with their truth, relative to its largest entry."""
    tolerance = PARITY if case.dtype == torch.float64 else SINGLE
    for ours, truth in zip(found, wanted, strict=True):
        assert ours.dtype == case.dtype
        largest = truth.detach().abs().max().item() if truth.numel() else 0.0
        torch.testing.assert_close(ours.double(), truth, rtol=0, atol=tolerance * largest)


def test_environment(run, case: Case) -> None:
    torch.manual_seed(0)
    batch = case.batch()
    shared = batch.vectors.expand(case.members, *batch.vectors.shape)
    mu, sigma = parameters(case)
    settings = (batch.bounds, mu, sigma, case.hard_max, case.components)
    inputs = doubles(shared, mu, sigma)
    truth = environment(*inputs, batch, case)
    check([run(kernels.environment, shared, *settings)], [truth], case)

    G = random(*truth.shape, case=case)
    (by_G,) = doubles(G)
    gradients = torch.autograd.grad((by_G * truth).sum(), inputs, create_graph=True)
    found = run(kernels.environment_backward, G, shared, *settings)
    check(found, gradients, case)
    no_pair = batch.vectors.norm(dim=-1) > case.hard_max
    assert (found[0][:, no_pair] == 0).all()

    v = random(*shared.shape, case=case)
    change = (v.double() * gradients[0]).sum()
    truth = torch.autograd.grad(change, [by_G, *inputs[1:]])
    check(run(kernels.environment_along, v, G, shared, *settings), truth, case)


def test_messages(run, case: Case) -> None:
    torch.manual_seed(1)
    batch = case.batch()
    shared = batch.vectors.expand(case.members, *batch.vectors.shape)
    mu, sigma = parameters(case)
    atoms = len(batch.elements)
    Q = random(case.members, atoms, case.sensitivities, case.features, case=case)
    neighbours = (shared, batch.senders, batch.reverse, batch.bounds[:, -1].contiguous())
    settings = (*neighbours, mu, sigma, Q, case.hard_max, case.components)
    inputs = doubles(shared, mu, sigma, Q)
    truth = messages(*inputs, batch, case)
    check([run(kernels.messages, *settings)], [truth], case)

    G = random(*truth.shape, case=case)
    (by_G,) = doubles(G)
    gradients = torch.autograd.grad((by_G * truth).sum(), inputs, create_graph=True)
    found = run(kernels.messages_backward, G, *settings)
    check(found, gradients, case)
    no_pair = batch.vectors.norm(dim=-1) > case.hard_max
    assert (found[0][:, no_pair] == 0).all()

    v, w = random(*shared.shape, case=case), random(*Q.shape, case=case)
    change = (v.double() * gradients[0]).sum() + (w.double() * gradients[3]).sum()
    truth = torch.autograd.grad(change, [by_G, *inputs[1:]])
    check(run(kernels.messages_along, v, w, G, *settings), truth, case)


def test_no_atoms(run) -> None:
    vectors, bounds = torch.empty(2, 0, 0, 3), torch.empty(0, 3, dtype=torch.int32)
    mu, sigma, Q = torch.ones(2, 4), torch.ones(2, 4), torch.empty(2, 0, 4, 6)
    slots, counts = torch.empty(0, 0, dtype=torch.int64), torch.empty(0, dtype=torch.int32)
    env = run(kernels.environment, vectors, bounds, mu, sigma, CUTOFF, 9)
    assert env.shape == (2, 0, 9, 2, 4)
    settings = (vectors, slots, slots.reshape(-1), counts, mu, sigma, Q, CUTOFF, 9)
    assert run(kernels.messages, *settings).shape == (2, 0, 9, 6)
    for gradients in (
        run(kernels.environment_backward, env, vectors, bounds, mu, sigma, CUTOFF, 9),
        run(kernels.messages_backward, torch.empty(2, 0, 9, 6), *settings),
    ):
        assert all((gradient == 0).all() for gradient in gradients)
        assert gradients[1].shape == mu.shape


@pytest.mark.parametrize("precision", ["fp32", "fp64"])
def test_kernels_compile_for_a_gpu(precision) -> None:
    """The interpreter runs Python that the compiler does not know, so machine code is made, too."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from mlipkd.hipnn.engines.triton import environment as env
    from mlipkd.hipnn.engines.triton import messages as msg

    types = {"bounds": "*i32", "counts": "*i32", "senders": "*i64", "reverse": "*i64"}
    types |= {"atoms": "i32", "width": "i32"}
    constants = {"S": 4, "K": 20, "F": 24, "C": 9, "hard_max": 6.5}
    constants |= {"BLOCK": 32, "BLOCK_K": 32, "BLOCK_F": 16}
    receivers, senders = msg.along_at_receivers, msg.along_at_senders
    for kernel in (
        env.forward,
        env.backward,
        env.along,
        msg.forward,
        msg.backward,
        receivers,
        senders,
    ):
        names = kernel.arg_names
        fixed = {name: constants[name] for name in names if name in constants}
        signature = {name: types.get(name, f"*{precision}") for name in names}
        source = ASTSource(kernel, signature | dict.fromkeys(fixed, "constexpr"), fixed)
        assert triton.compile(source, target=GPUTarget("cuda", 80, 32)).asm["ptx"]
