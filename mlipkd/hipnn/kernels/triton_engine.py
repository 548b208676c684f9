"""The engine of Triton kernels for GPUs (see engines.py).

The operators over pairs are those of the CPU, with kernels of their own; what is done to features
one by one is plain PyTorch.
"""

from mlipkd.hipnn.kernels import environment as environments
from mlipkd.hipnn.kernels import messages as sums
from mlipkd.hipnn.kernels import triton
from mlipkd.hipnn.kernels.engine import environment, messages
from mlipkd.hipnn.reference import norms, pair_forces, softplus

__all__ = ["environment", "messages", "norms", "pair_forces", "softplus"]


def _kept(wanted: tuple, *results):
    """Results that were wanted; the others empty."""
    return tuple(
        one if keep else one.new_empty(0) for keep, one in zip(wanted, results, strict=True)
    )


@environments.environment.register_kernel("cuda")
def _(*inputs):
    return triton.environment(*inputs)


@environments.environment_backward.register_kernel("cuda")
def _(*inputs):
    *given, vectors, weights = inputs
    return _kept((vectors, weights, weights), *triton.environment_backward(*given))


@environments.environment_along.register_kernel("cuda")
def _(*inputs):
    return triton.environment_along(*inputs)


def _counted(inputs: tuple) -> tuple:
    """How many neighbours there are, in the place of bounds by element."""
    *before, bounds, mu, sigma, Q, hard_max, components = inputs
    return *before, bounds[:, -1].contiguous(), mu, sigma, Q, hard_max, components


@sums.messages.register_kernel("cuda")
def _(*inputs):
    return triton.messages(*_counted(inputs))


@sums.messages_backward.register_kernel("cuda")
def _(*inputs):
    *given, vectors, weights, features = inputs
    wanted = (vectors, weights, weights, features)
    return _kept(wanted, *triton.messages_backward(*_counted(tuple(given))))


@sums.messages_along.register_kernel("cuda")
def _(*inputs):
    return triton.messages_along(*_counted(inputs))
