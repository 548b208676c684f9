"""Energy and its derivative by the pair vectors, written out: for inference with the CPU kernels.

Automatic differentiation keeps every intermediate result and makes a pass over the features for
each bias and each product. Here a layer keeps one array, the slope of its activation, and the
features are updated in place.

Biases after the activation are never added. What they sum up to before a layer, c, is the same for
all atoms of an element, so it is put into the layer's own bias once, W (z + c) + b = W z +
(W c + b), and into the head's, w · (z + c) + b = w · z + (w · c + b). So is what a one-hot z⁰
adds.
"""

import torch
from torch import Tensor

from mlipkd.hipnn.batch import Batch
from mlipkd.hipnn.interaction import Interaction
from mlipkd.hipnn.kernels.environment import environment, environment_backward
from mlipkd.hipnn.kernels.messages import messages, messages_backward
from mlipkd.hipnn.kernels.pointwise import activate_, norms, norms_backward
from mlipkd.hipnn.network import HIPNN, Block, Linear, Residual
from mlipkd.hipnn.reference import CUSP


class Analytic:
    """A model whose weights do not change any more, ready to be evaluated again and again."""

    def __init__(self, model: HIPNN) -> None:
        self.architecture, self.dtype, self.members = model.architecture, model.dtype, model.members
        with torch.no_grad():
            constant = torch.eye(len(model.species), dtype=model.dtype)  # z⁰ of each element
            constant = constant.expand(model.members, *constant.shape)
            self.energies = model.E0[..., None].clone()  # (members, elements, 1)
            self.blocks = []
            for block, w, b in zip(model.blocks, model.w.unbind(1), model.b.unbind(1), strict=True):
                assert isinstance(block, Block)
                self.blocks.append(_Block(block, constant, w))
                constant = self.blocks[-1].constant
                self.energies += (constant @ w[..., None] + b[:, None, None]).double()

    def evaluate(self, batch: Batch, derivatives: bool = True) -> tuple[Tensor, Tensor | None]:
        """Atomic energies (members, atoms) float64, eV, and the pair gradient.

        The pair gradient is ∂E/∂d_ij, (members, atoms, neighbours, 3), eV/Å; none if it is not
        asked for.
        """
        around = _Around(batch, self.members, self.architecture)
        with torch.no_grad():
            energies = self.energies[:, batch.elements, 0]
            z, passes = None, []
            for block in self.blocks:
                kept, z = block.forward(around, z)
                energies += torch.bmm(z, block.w[..., None])[..., 0]
                passes.append(kept)
            if not derivatives:
                return energies, None
            gradient, dz = None, None
            for block, kept in zip(reversed(self.blocks), reversed(passes), strict=True):
                w = block.w[:, None].expand(-1, len(batch.elements), -1)
                dz = w.clone(memory_format=torch.contiguous_format) if dz is None else dz.add_(w)
                part, dz = block.backward(around, kept, dz)
                gradient = part if gradient is None else gradient.add_(part)
        return energies, gradient


class _Around:
    """What the kernels ask about the surroundings."""

    def __init__(self, batch: Batch, members: int, architecture) -> None:
        self.batch = batch
        self.vectors = batch.vectors.expand(members, *batch.vectors.shape)
        self.pairs = (self.vectors, batch.senders, batch.reverse, batch.bounds)
        self.range = (architecture.hard_max, (architecture.l_max + 1) ** 2)


class _Block:
    """The weights of one block, arranged for evaluation."""

    def __init__(self, block: Block, constant: Tensor, w: Tensor) -> None:
        """From the constant part of z (members, elements, in) before it, and the head after it."""
        first, base = block.interaction, block.interaction.base
        assert isinstance(base, Interaction)
        self.base, self.w = base, w
        self.sensitivity = (base.sensitivity.mu, base.sensitivity.sigma)
        self.tau = (base.tau1, base.tau1 if base.tau2 is None else base.tau2)
        n_out, members = base.V.shape[2], len(base.V)
        skip = first.skip.weight if hasattr(first, "skip") else None  # (members, out, in)
        if base.one_hot:
            self.V = base.V.permute(0, 3, 1, 2).reshape(members, -1, n_out)
        else:
            # What all atoms of an element send besides what their z makes them send.
            self.V = base.V.permute(0, 3, 1, 2).flatten(2).contiguous()  # (members, in, K * out)
            self.sent = constant @ self.V  # (members, elements, K * out)
        self.biases = [constant @ base.W.mT + base.b[:, None]]  # (members, elements, out)
        constant = constant if skip is None else constant @ skip.mT
        self.inner, self.outer = [base.W], [first.outer.weight]
        constant = constant + first.outer.bias[:, None]
        for layer in block.atom_layers:
            assert isinstance(layer, Residual) and isinstance(layer.base, Linear)
            self.inner.append(layer.base.weight)
            self.outer.append(layer.outer.weight)
            self.biases.append(constant @ layer.base.weight.mT + layer.base.bias[:, None])
            constant = constant + layer.outer.bias[:, None]
        self.constant = constant  # (members, elements, out), of z after the block

    def forward(self, around: _Around, z: Tensor | None) -> tuple[tuple, Tensor]:
        """From z without its constant part, none for the one-hot z⁰: what to keep, and z after."""
        elements = around.batch.elements
        members, number, n_out, _ = self.base.V.shape
        Q = None
        if z is None:
            env = environment(around.vectors, around.batch.bounds, *self.sensitivity, *around.range)
            A = torch.bmm(env.flatten(3).flatten(1, 2), self.V)
        else:
            Q = torch.baddbmm(self.sent[:, elements], z, self.V).view(members, -1, number, n_out)
            A = messages(*around.pairs, *self.sensitivity, Q, *around.range)
        A = A.view(members, len(elements), -1, n_out)
        h = A[:, :, 0].contiguous() if self.tau[0] is None else norms(A, *self.tau, CUSP)
        if z is not None:
            h.baddbmm_(z, self.inner[0].mT)
        slopes = [activate_(h, self.biases[0], elements)]
        if z is None:
            z = torch.bmm(h, self.outer[0].mT)
        else:
            z = torch.baddbmm(z, h, self.outer[0].mT)
        for inner, outer, bias in zip(self.inner[1:], self.outer[1:], self.biases[1:], strict=True):
            h = torch.bmm(z, inner.mT)
            slopes.append(activate_(h, bias, elements))
            z.baddbmm_(h, outer.mT)
        return (A, Q, slopes), z

    def backward(self, around: _Around, kept: tuple, dz: Tensor) -> tuple[Tensor, Tensor | None]:
        """From dz = ∂E/∂z after the block: the pair gradient, and ∂E/∂z before it."""
        A, Q, slopes = kept
        for inner, outer, slope in zip(
            self.inner[:0:-1], self.outer[:0:-1], slopes[:0:-1], strict=True
        ):
            dz.baddbmm_(torch.bmm(dz, outer).mul_(slope), inner)
        dh = torch.bmm(dz, self.outer[0]).mul_(slopes[0])
        dA = dh[:, :, None] if self.tau[0] is None else norms_backward(dh, A, *self.tau, CUSP)[0]
        members, _, n_out = dh.shape
        if Q is None:
            batch = around.batch
            G = torch.bmm(dA.view(members, -1, n_out), self.V.mT)
            G = G.view(*dA.shape[:3], -1, self.base.V.shape[1])
            one_hot = (around.vectors, batch.bounds, *self.sensitivity, *around.range)
            return environment_backward(G, *one_hot, True, False)[0], None
        inputs = (*around.pairs, *self.sensitivity, Q, *around.range)
        gradient, _, _, dQ = messages_backward(dA, *inputs, True, False, True)
        dz = torch.baddbmm(dz, dh, self.inner[0]).baddbmm_(dQ.flatten(2), self.V.mT)
        return gradient, dz
