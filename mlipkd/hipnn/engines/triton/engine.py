"""The engine of Triton kernels for GPUs (see engines.py).

The operators over pairs are those of the CPU, with kernels of their own; what is done to features
one by one is plain PyTorch.
"""

from mlipkd.hipnn.engines.cpu import environment as environments
from mlipkd.hipnn.engines.cpu import messages as sums
from mlipkd.hipnn.engines.cpu.engine import environment, messages
from mlipkd.hipnn.engines.reference import norms, pair_forces, softplus
from mlipkd.hipnn.engines.triton import kernels

__all__ = ["environment", "messages", "norms", "pair_forces", "softplus"]


def _kept(wanted: tuple, *results):
    """Results that were wanted; the others empty."""
    return tuple(
        one if keep else one.new_empty(0) for keep, one in zip(wanted, results, strict=True)
    )


@environments.environment.register_kernel("cuda")
def _(*inputs):
    return kernels.environment(*inputs)


@environments.environment_backward.register_kernel("cuda")
def _(*inputs):
    *given, vectors, weights = inputs
    return _kept((vectors, weights, weights), *kernels.environment_backward(*given))


@environments.environment_along.register_kernel("cuda")
def _(*inputs):
    return kernels.environment_along(*inputs)


def _counted(inputs: tuple) -> tuple:
    """How many neighbours there are, in the place of bounds by element."""
    *before, bounds, mu, sigma, Q, hard_max, components = inputs
    return *before, bounds[:, -1].contiguous(), mu, sigma, Q, hard_max, components


@sums.messages.register_kernel("cuda")
def _(*inputs):
    return kernels.messages(*_counted(inputs))


@sums.messages_backward.register_kernel("cuda")
def _(*inputs):
    *given, vectors, weights, features = inputs
    wanted = (vectors, weights, weights, features)
    return _kept(wanted, *kernels.messages_backward(*_counted(tuple(given))))


@sums.messages_along.register_kernel("cuda")
def _(*inputs):
    return kernels.messages_along(*_counted(inputs))
