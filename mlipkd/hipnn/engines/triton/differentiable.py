"""The Triton engine: the reference, with kernels for its sums over neighbours.

What is done to features one by one is plain PyTorch. The sums can be differentiated with respect to
all that they depend on; the derivative with respect to vectors and features, once more with respect
to weights: what energies, forces and force training need (see ``Engine`` in ``engines``).
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mlipkd.hipnn.batch import Batch
from mlipkd.hipnn.derivatives import forces
from mlipkd.hipnn.engines import reference
from mlipkd.hipnn.engines.triton import kernels
from mlipkd.hipnn.network import HIPNN
from mlipkd.hipnn.surroundings import Sensitivity, Surroundings

__all__ = ["forces", "orders_and_gradient"]


def orders_and_gradient(
    model: HIPNN, batch: Batch, derivatives: bool, training: bool
) -> tuple[Tensor, Tensor | None]:
    """E_iⁿ and, if ``derivatives`` is set, the pair gradient."""
    return reference.orders_and_gradient(model, batch, derivatives, training, KernelSurroundings)


class KernelSurroundings(Surroundings):
    """Surroundings whose sums are kernels."""

    def environment(self, sensitivity: Sensitivity) -> Tensor:
        """As ``Surroundings``."""
        tensors = (self.vectors, self.batch.bounds, sensitivity.mu, sensitivity.sigma)
        return Environment.apply((self.hard_max, self.components), *tensors)

    def messages(self, sensitivity: Sensitivity, Q: Tensor) -> Tensor:
        """As ``Surroundings``."""
        batch, counts = self.batch, self.batch.bounds[:, -1].contiguous()
        pairs = (self.vectors, batch.senders, batch.reverse, counts)
        tensors = (*pairs, sensitivity.mu, sensitivity.sigma, Q)
        return Messages.apply((self.hard_max, self.components), *tensors)


class Environment(torch.autograd.Function):
    """env of (vectors, bounds, μ, σ)."""

    @staticmethod
    def forward(ctx, numbers: tuple, *tensors: Any) -> Tensor:
        ctx.numbers = numbers
        ctx.save_for_backward(*tensors)
        return kernels.environment(*tensors, *numbers)

    @staticmethod
    def backward(ctx, G: Tensor):
        dvectors, dmu, dsigma = EnvironmentGradient.apply(ctx.numbers, G, *ctx.saved_tensors)
        return None, dvectors, None, dmu, dsigma


class EnvironmentGradient(torch.autograd.Function):
    """∂L/∂vectors, ∂L/∂μ and ∂L/∂σ of (G = ∂L/∂env, vectors, bounds, μ, σ)."""

    @staticmethod
    def forward(ctx, numbers: tuple, *tensors: Any):
        ctx.numbers = numbers
        ctx.save_for_backward(*tensors)
        dvectors, dmu, dsigma = kernels.environment_backward(*tensors, *numbers)
        ctx.mark_non_differentiable(dmu, dsigma)
        return dvectors, dmu, dsigma

    @staticmethod
    @once_differentiable
    def backward(ctx, v: Tensor, *_):
        G, vectors, *rest = ctx.saved_tensors
        dG, dmu, dsigma = kernels.environment_along(v, G, vectors, *rest, *ctx.numbers)
        return None, dG, _unknown(vectors), None, dmu, dsigma


class Messages(torch.autograd.Function):
    """What atoms receive, of (vectors, senders, reverse, counts, μ, σ, Q)."""

    @staticmethod
    def forward(ctx, numbers: tuple, *tensors: Any) -> Tensor:
        ctx.numbers = numbers
        ctx.save_for_backward(*tensors)
        return kernels.messages(*tensors, *numbers)

    @staticmethod
    def backward(ctx, G: Tensor):
        dvectors, dmu, dsigma, dQ = MessagesGradient.apply(ctx.numbers, G, *ctx.saved_tensors)
        return None, dvectors, None, None, None, dmu, dsigma, dQ


class MessagesGradient(torch.autograd.Function):
    """∂L/∂vectors, ∂L/∂μ, ∂L/∂σ and ∂L/∂Q of (G = ∂L/∂out, and the inputs of ``Messages``)."""

    @staticmethod
    def forward(ctx, numbers: tuple, *tensors: Any):
        ctx.numbers = numbers
        ctx.save_for_backward(*tensors)
        dvectors, dmu, dsigma, dQ = kernels.messages_backward(*tensors, *numbers)
        ctx.mark_non_differentiable(dmu, dsigma)
        return dvectors, dmu, dsigma, dQ

    @staticmethod
    @once_differentiable
    def backward(ctx, v: Tensor, _mu, _sigma, w: Tensor):
        G, vectors, *rest = ctx.saved_tensors
        dG, dmu, dsigma, dQ = kernels.messages_along(v, w, G, vectors, *rest, *ctx.numbers)
        return None, dG, _unknown(vectors), None, None, None, dmu, dsigma, dQ


def _unknown(vectors: Tensor) -> Tensor:
    """The second derivative with respect to vectors, which a Hessian needs, is not in the kernels.

    It is NaN, so that nobody takes it for a number.
    """
    return vectors.new_full((), torch.nan).expand_as(vectors)
