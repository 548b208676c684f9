"""The machine's limits, measured; and what a model must do at least, counted.

Per atom, with F features, K sensitivities, C = (l_max + 1)² components, L atom layers, S elements
and n neighbours, the multiply-adds of one pass are

    dense, first block    C S K F + F² + 2 L F²        env times V, outer layer, atom layers
    dense, later block    K F² + F² + F² + 2 L F²      Q = V z, W z, outer layer, atom layers
    pairs, first block    n C K                        env = Σ_j T_c s_ν
    pairs, later block    n K F + n C F                messages, and their sum
    Gaussians             n K, each block              s_ν(r)

A multiply-add is two operations, a Gaussian counts as GAUSSIAN. Forces take the derivative of the
dense part by its inputs, which is as much again, and of both factors of each product over the
pairs, twice as much again. A step of training derives all of this once more: three times as much.

The memory that must be moved is that of the pairs; all else may stay in the caches. Vector and
sender are read forth and back, the gradient is written, and read by the other atom.

The limit is the time of these operations at the speed of the fastest matrix product, plus that of
the transfers at the bandwidth of a copy: no program does better, and none reaches it.
"""

import time
from dataclasses import dataclass

import torch

from mlipkd.config.model import Architecture

#: Operations of one sensitivity at one distance: t, its square, and an exponential of ten.
GAUSSIAN = 14
#: Times the work of inference that a step of training takes.
TRAINING = 3
#: Bytes of a pair in inference: vector (12) and sender (4) twice, gradient written, read twice.
PAIR_BYTES = 2 * (12 + 4) + 3 * 12
#: Matrix products to look for the fastest of: (rows, inner, columns).
PRODUCTS = ((2048, 128, 128), (8192, 160, 128), (1024, 1024, 1024), (4096, 1024, 1024))
GPU_PRODUCTS = ((65536, 128, 128), (8192, 8192, 8192))
#: Bytes of the array that is copied.
COPIED = 2**28


@dataclass(frozen=True)
class Machine:
    """What a device does at best."""

    flops: float
    """Operations per second, float32."""
    bandwidth: float
    """Bytes per second, read or written."""


@dataclass(frozen=True)
class Work:
    """Operations and bytes for one atom."""

    dense: float
    pairs: float
    bytes: float

    def seconds(self, machine: Machine) -> float:
        """The least time that the machine could take for it."""
        return (self.dense + self.pairs) / machine.flops + self.bytes / machine.bandwidth


def work(shape: Architecture, elements: int, neighbours: float, training: bool = False) -> Work:
    """Energies and forces, or a step of training on them, for one atom.

    Args:
        shape: of the model.
        elements: that the model knows.
        neighbours: of an atom, on average.
        training: whether it is a step of training.
    """
    F, K, L = shape.width, shape.sensitivities, shape.atom_layers
    C, n, later = (shape.l_max + 1) ** 2, neighbours, shape.n_interactions - 1
    atom_layers = F**2 + 2 * L * F**2
    dense = C * elements * K * F + atom_layers + later * (K * F**2 + F**2 + atom_layers)
    products = n * C * K + later * (n * K * F + n * C * F)
    gaussians = shape.n_interactions * n * K * GAUSSIAN
    times = TRAINING if training else 1
    return Work(
        dense=times * 2 * 2 * dense,
        pairs=times * (3 * 2 * products + 2 * gaussians),
        bytes=times * shape.n_interactions * n * PAIR_BYTES,
    )


def measure(device: torch.device) -> Machine:
    """The fastest of some matrix products, and a copy; the best of several tries."""
    products = GPU_PRODUCTS if device.type == "cuda" else PRODUCTS
    flops = 0.0
    for rows, inner, columns in products:
        a = torch.randn(rows, inner, device=device)
        b = torch.randn(inner, columns, device=device)
        out = a @ b
        seconds = _best(lambda a=a, b=b, out=out: torch.mm(a, b, out=out), device)
        flops = max(flops, 2 * rows * inner * columns / seconds)
    source = torch.ones(COPIED // 4, device=device)
    target = torch.zeros_like(source)
    bandwidth = 2 * COPIED / _best(lambda: target.copy_(source), device)
    return Machine(flops, bandwidth)


def _best(call, device: torch.device, tries: int = 12) -> float:
    shortest = float("inf")
    for _ in range(tries):
        began = time.perf_counter()
        call()
        if device.type == "cuda":
            torch.cuda.synchronize()
        shortest = min(shortest, time.perf_counter() - began)
    return shortest
