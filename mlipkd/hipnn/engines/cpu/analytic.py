"""The CPU engine: energies, pair gradient and derivatives with respect to weights, written out.

Automatic differentiation makes a pass over the features for each bias, product and copy, and calls
Python for each operator; written out, what is left are the matrix products and the kernels.

Along a block z → z' the sweeps are, for the layer z' = z + Wr a + br, a = softplus(h), h = W z + b
with slope s = da/dh (the interaction layer adds its sum over neighbours to h):

    forward    h, a, z'
    backward   dh = s · Wrᵀ dz',  dz = dz' + Wᵀ dh,  from dz = ∂(Σ E)/∂z: the pair gradient
    tangent    ḣ = W ż,  ȧ = s · ḣ,  ż' = ż + Wr ȧ: how all changes when the vectors change by v
    adjoint    λh = s · Wrᵀ λ' + (1 - s) · ḣ · dh,  λ = λ' + Wᵀ λh
               ∂W = λhᵀ z + dhᵀ ż,  ∂Wr = λ'ᵀ a + dz'ᵀ ȧ

The last gives the derivatives with respect to the weights of Σ_in c_in E_iⁿ + ⟨v, ∂(Σ E)/∂d⟩, which
are those of a loss with c = ∂L/∂E_iⁿ and v = ∂L/∂(pair gradient): force training without a
derivative of second order in the positions. The adjoint of the tangent is what the backward sweep
computed, so it is not computed again.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mlipkd.hipnn.batch import Batch
from mlipkd.hipnn.engines.cpu import environment as env
from mlipkd.hipnn.engines.cpu import messages as msg
from mlipkd.hipnn.engines.cpu import pointwise, repulsion
from mlipkd.hipnn.engines.cpu.pointwise import forces
from mlipkd.hipnn.interaction import CUSP, Interaction
from mlipkd.hipnn.network import HIPNN, Residual

__all__ = ["forces", "orders_and_gradient"]


@dataclass
class _Saved:
    """What the sweeps save at one layer for those after them; the names are those above.

    Features are (members, atoms, out). The tangent of x is xt. Only of the interaction layer: A,
    (members, atoms, components, out), and G, the environment or what atoms send, Q.
    """

    z: Any = None
    a: Any = None
    s: Any = None
    A: Any = None
    G: Any = None
    dz: Any = None
    dh: Any = None
    dA: Any = None
    dG: Any = None
    zt: Any = None
    ht: Any = None
    at: Any = None
    Gt: Any = None
    explicit: Any = None
    """Derivatives of ⟨v, pair gradient⟩ with respect to (μ, σ), G, A and (τ1, τ2), which it has as
    factors of its own."""


class Sweeps:
    """The sweeps over one batch."""

    def __init__(self, model: HIPNN, batch: Batch, training: bool) -> None:
        """Set up; ``training`` saves what the tangent and adjoint sweeps need."""
        self.model, self.batch, self.training = model, batch, training
        shape = model.architecture
        self.hard_max, self.components = shape.hard_max, (shape.l_max + 1) ** 2
        self.kind = torch.zeros_like(batch.elements)
        layers = [
            [block.interaction, *block.atom_layers]  # type: ignore[misc]
            for block in model.blocks
        ]
        self.final = _Final(layers[-1].pop(), self) if shape.atom_layers else None
        self.blocks = [[(layer, _Saved()) for layer in block] for block in layers]
        self.ends: list[Tensor] = []  # z after each block

    def forward(self) -> Tensor:
        """E_iⁿ: (members, atoms, N_int + 1) float64, eV."""
        model = self.model
        orders = [model.E0[:, self.batch.elements]]
        z = None
        for block, w, b in zip(self.blocks, model.w.unbind(1), model.b.unbind(1), strict=True):
            for layer, saved in block:
                z = self._forward(layer, saved, z)
            assert z is not None
            self.ends.append(z)
            orders.append(torch.baddbmm(b[:, None, None], z, w[..., None])[..., 0].double())
        if self.final is not None:
            orders[-1] += self.final.forward(self.ends[-1])
        return torch.stack(orders, dim=2)

    def backward(self) -> Tensor:
        """The pair gradient ∂(Σ E)/∂d_ij: (members, atoms, neighbours, 3), eV/Å."""
        gradient: Any = None
        dz: Any = None
        for block, w in reversed(self._blocks_with_heads()):
            w = w[:, None].expand(-1, len(self.batch.elements), -1)
            if dz is not None:
                dz.add_(w)
            elif self.final is not None:
                dz = self.final.backward(w)
            else:
                dz = w.clone(memory_format=torch.contiguous_format)
            for layer, saved in reversed(block):
                dz, part = self._backward(layer, saved, dz)
            gradient = part if gradient is None else gradient.add_(part)
        return gradient

    def derivatives(self, c: Tensor, v: Tensor | None) -> dict[str, Tensor]:
        """With respect to each weight, by name, of Σ_in c_in E_iⁿ + ⟨v, pair gradient⟩.

        Args:
            c: (members, atoms, N_int + 1).
            v: (members, atoms, neighbours, 3); none leaves it out.
        """
        model, c = self.model, c.to(self.model.dtype)
        derivatives: dict[str, Tensor] = {}
        tangents: list[Any] = [None] * len(self.ends) if v is None else self._tangents(v)
        lam: Any = None
        by_w, by_b = [], []
        for n, (block, w) in reversed(list(enumerate(self._blocks_with_heads()))):
            seed = c[:, :, n + 1 : n + 2]  # (members, atoms, 1)
            head = torch.bmm(seed.mT, self.ends[n])[:, 0]
            head = head if tangents[n] is None else head + tangents[n].sum(1)
            if lam is not None:
                lam = torch.addcmul(lam, seed, w[:, None])
            elif self.final is not None:
                lam, part, grads = self.final.adjoint(seed)
                head = head + part
                name = f"blocks.{n}.atom_layers.{len(block) - 1}"
                derivatives |= {f"{name}.{key}": grad for key, grad in grads.items()}
            else:
                lam = seed * w[:, None]
            by_w.append(head)
            by_b.append(seed.sum((1, 2)))
            for k, (layer, saved) in reversed(list(enumerate(block))):
                name = f"blocks.{n}." + (f"atom_layers.{k - 1}" if k else "interaction")
                lam, grads = self._adjoint(layer, saved, lam)
                derivatives |= {f"{name}.{key}": grad for key, grad in grads.items()}
        derivatives["w"] = torch.stack(by_w[::-1], 1)
        derivatives["b"] = torch.stack(by_b[::-1], 1)
        return {name: derivatives[name] for name, _ in model.named_parameters()}

    def _blocks_with_heads(self) -> list[tuple[list[tuple[Residual, _Saved]], Tensor]]:
        return list(zip(self.blocks, self.model.w.unbind(1), strict=True))

    def _tangents(self, v: Tensor) -> list[Any]:
        """ż after each block."""
        tangents: list[Any] = []
        zt: Any = None
        for block in self.blocks:
            for layer, saved in block:
                zt = self._tangent(layer, saved, zt, v)
            tangents.append(zt)
        if self.final is not None:
            self.final.tangent(zt)
        return tangents

    def _forward(self, layer: Residual, saved: _Saved, z: Any) -> Tensor:
        base, elements = layer.base, self.batch.elements
        if not isinstance(base, Interaction):
            h, bias, kind = torch.bmm(z, base.weight.mT), base.bias[:, None], self.kind
        else:
            h = self._sum_forward(base, saved, z)
            if z is None:  # one-hot: a bias for each element
                bias, kind = base.W.mT + base.b[:, None], elements
            else:
                h, bias, kind = h.baddbmm_(z, base.W.mT), base.b[:, None], self.kind
        s = pointwise.activate_(h, bias, kind)
        saved.s = s
        if isinstance(base, Interaction) and z is None:
            skip = layer.skip.weight if hasattr(layer, "skip") else _identity(base.W)
            out = skip.mT[:, elements].baddbmm_(h, layer.outer.weight.mT)
        elif self.training:
            out = torch.baddbmm(z, h, layer.outer.weight.mT)
        else:
            out = z.baddbmm_(h, layer.outer.weight.mT)
        if self.training:
            saved.z, saved.a = z, h
        return out.add_(layer.outer.bias[:, None])

    def _sum_forward(self, base: Interaction, saved: _Saved, z: Tensor | None) -> Tensor:
        """A_0 + τ1 |A_vector| + τ2 |A_tensor|: (members, atoms, out), in separate memory."""
        members, number, n_out, _ = base.V.shape
        if z is None:
            G = env.environment(self._environment(base))
            A = torch.bmm(G.flatten(3).flatten(1, 2), _mixing(base))
        else:
            G = torch.bmm(z, _mixing(base)).view(members, -1, number, n_out)
            A = msg.messages(self._messages(base, G))
        saved.A = A = A.view(members, -1, self.components, n_out)
        if self.training or z is not None:
            saved.G = G
        if base.tau1 is None:
            return A[:, :, 0].clone()
        return pointwise.norms(A, *_tau(base), CUSP)

    def _backward(
        self, layer: Residual, saved: _Saved, dz: Tensor
    ) -> tuple[Tensor | None, Tensor | None]:
        base = layer.base
        dh = torch.bmm(dz, layer.outer.weight).mul_(saved.s)
        if self.training:
            saved.dz, saved.dh = dz, dh
        if not isinstance(base, Interaction):
            weight = base.weight
            return (
                torch.baddbmm(dz, dh, weight) if self.training else dz.baddbmm_(dh, weight)
            ), None
        if base.tau1 is None:
            dA = dh[:, :, None]
        else:
            dA = pointwise.norms_backward(dh, saved.A, *_tau(base), CUSP)
        if not self.training:
            saved.A = None  # the largest array there is, together with Q
        if base.one_hot:
            dG = torch.bmm(dA.flatten(1, 2), _mixing(base).mT)
            dG = dG.view(*dA.shape[:3], -1, base.V.shape[1])
            gradient, before = env.environment_backward(dG, self._environment(base)), None
        else:
            gradient, dG = msg.messages_backward(dA, self._messages(base, saved.G))
            before = torch.baddbmm(dz, dh, base.W).baddbmm_(dG.flatten(2), _mixing(base).mT)
        if self.training:
            saved.dA, saved.dG = dA, dG
        return before, gradient

    def _tangent(self, layer: Residual, saved: _Saved, zt: Any, v: Tensor) -> Tensor:
        base = layer.base
        saved.zt = zt
        if isinstance(base, Interaction):
            ht = self._sum_tangent(base, saved, zt, v)
            ht = ht if zt is None else ht.baddbmm_(zt, base.W.mT)
        else:
            ht = torch.bmm(zt, base.weight.mT)
        saved.ht, saved.at = ht, saved.s * ht
        if zt is None:
            return torch.bmm(saved.at, layer.outer.weight.mT)
        return torch.baddbmm(zt, saved.at, layer.outer.weight.mT)

    def _sum_tangent(
        self, base: Interaction, saved: _Saved, zt: Tensor | None, v: Tensor
    ) -> Tensor:
        members, number, n_out, _ = base.V.shape
        if zt is None:
            saved.Gt, *by_weights = env.environment_along(v, saved.dG, self._environment(base))
            At, by_G = torch.bmm(saved.Gt.flatten(3).flatten(1, 2), _mixing(base)), None
        else:
            saved.Gt = torch.bmm(zt, _mixing(base)).view(members, -1, number, n_out)
            layer = self._messages(base, saved.G)
            At, *by_weights, by_G = msg.messages_along(v, saved.Gt, saved.dA, layer)
        At = At.view(saved.A.shape)
        if base.tau1 is None:
            saved.explicit = (by_weights, by_G, None, (None, None))
            return At[:, :, 0].clone()
        nt, by_A, *by_tau = pointwise.norms_along(At, saved.dh, saved.A, *_tau(base), CUSP)
        saved.explicit = (by_weights, by_G, by_A, by_tau)
        return nt

    def _adjoint(
        self, layer: Residual, saved: _Saved, lam: Tensor
    ) -> tuple[Tensor | None, dict[str, Tensor]]:
        base, along = layer.base, saved.ht is not None
        lam_h = torch.bmm(lam, layer.outer.weight)
        if along:
            pointwise.adjoint_(lam_h, saved.s, saved.ht, saved.dh)
        else:
            lam_h.mul_(saved.s)
        by_outer = torch.bmm(lam.mT, saved.a)
        grads = {
            "outer.weight": by_outer.baddbmm_(saved.dz.mT, saved.at) if along else by_outer,
            "outer.bias": lam.sum(1),
        }
        if isinstance(base, Interaction):
            before, more = self._sum_adjoint(layer, saved, lam, lam_h)
            return before, grads | more
        by_inner = torch.bmm(lam_h.mT, saved.z)
        grads["base.weight"] = by_inner.baddbmm_(saved.dh.mT, saved.zt) if along else by_inner
        grads["base.bias"] = lam_h.sum(1)
        return torch.baddbmm(lam, lam_h, base.weight), grads

    def _sum_adjoint(
        self, layer: Residual, saved: _Saved, lam: Tensor, lam_h: Tensor
    ) -> tuple[Tensor | None, dict[str, Tensor]]:
        base, along = layer.base, saved.ht is not None
        assert isinstance(base, Interaction)
        members = len(base.V)
        by_weights, by_G, by_A, by_tau = saved.explicit or ((None, None), None, None, (None, None))
        grads = {"base.b": lam_h.sum(1)}
        lam_A = lam_h[:, :, None]
        if base.tau1 is not None:
            lam_A, *taus = pointwise.norms_weights(lam_h, saved.A, *_tau(base), CUSP)
            lam_A = lam_A if by_A is None else lam_A.add_(by_A)
            present = [name for name in ("tau1", "tau2") if getattr(base, name) is not None]
            for name, tau, more in zip(present, taus, by_tau, strict=False):
                grads[f"base.{name}"] = tau if more is None else tau + more
        lam_A = lam_A.flatten(1, 2)  # (members, atoms * components, out)
        if base.one_hot:
            z = torch.nn.functional.one_hot(self.batch.elements, base.W.shape[2]).to(lam.dtype)
            z = z.expand(members, *z.shape)
            if hasattr(layer, "skip"):
                grads["skip.weight"] = torch.bmm(lam.mT, z)
            grads["base.W"] = torch.bmm(lam_h.mT, z)
            by_V = torch.bmm(saved.G.flatten(3).flatten(1, 2).mT, lam_A)
            if along:
                by_V.baddbmm_(saved.Gt.flatten(3).flatten(1, 2).mT, saved.dA.flatten(1, 2))
            lam_G = torch.bmm(lam_A, _mixing(base).mT).view(saved.G.shape)
            by_mu, by_sigma = env.environment_weights(lam_G, self._environment(base))
            before = None
            by_V = by_V.view(members, -1, *base.V.shape[1:3]).permute(0, 2, 3, 1)
        else:
            inputs = (lam_A.view(saved.A.shape), self._messages(base, saved.G))
            by_mu, by_sigma, lam_G = msg.messages_weights(*inputs)
            lam_G = (lam_G if by_G is None else lam_G.add_(by_G)).flatten(2)
            by_V, by_W = torch.bmm(saved.z.mT, lam_G), torch.bmm(lam_h.mT, saved.z)
            if along:
                by_V.baddbmm_(saved.zt.mT, saved.dG.flatten(2))
                by_W.baddbmm_(saved.dh.mT, saved.zt)
            grads["base.W"] = by_W
            before = torch.baddbmm(lam, lam_h, base.W).baddbmm_(lam_G, _mixing(base).mT)
            by_V = by_V.view(members, -1, *base.V.shape[1:3]).permute(0, 2, 3, 1)
        grads["base.V"] = by_V
        for name, grad, more in zip(("mu", "sigma"), (by_mu, by_sigma), by_weights, strict=True):
            grads[f"base.sensitivity.{name}"] = grad if more is None else grad + more
        return before, grads

    def _environment(self, base: Interaction) -> env.Layer:
        batch, mu, sigma = self.batch, base.sensitivity.mu, base.sensitivity.sigma
        return env.Layer(batch.vectors, batch.bounds, mu, sigma, self.hard_max, self.components)

    def _messages(self, base: Interaction, Q: Tensor) -> msg.Layer:
        batch, mu, sigma = self.batch, base.sensitivity.mu, base.sensitivity.sigma
        pairs = (batch.vectors, batch.senders, batch.reverse, batch.bounds)
        return msg.Layer(*pairs, mu, sigma, Q, self.hard_max, self.components)


class _Final:
    """The last layer of all, z' = z + Wr a + br, whose output only the energy is made of.

    w · z' = w · z + u · a + w · br with u = Wrᵀ w: a matrix is applied to w once instead of to each
    atom's features, in all of the sweeps. The head takes care of w · z.
    """

    def __init__(self, layer: Any, sweeps: Sweeps) -> None:
        self.inner, self.outer, self.kind = layer.base, layer.outer, sweeps.kind
        self.w = sweeps.model.w[:, -1]  # (members, out)
        self.u = torch.bmm(self.w[:, None], self.outer.weight)  # (members, 1, out)
        self.saved = _Saved()

    def forward(self, z: Tensor) -> Tensor:
        """Its part of E_i: (members, atoms)."""
        h = torch.bmm(z, self.inner.weight.mT)
        self.saved.s = pointwise.activate_(h, self.inner.bias[:, None], self.kind)
        self.saved.z, self.saved.a = z, h
        constant = (self.outer.bias * self.w).sum(1)  # (members,)
        return torch.baddbmm(constant[:, None, None], h, self.u.mT)[..., 0]

    def backward(self, w: Tensor) -> Tensor:
        """∂E/∂z, (members, atoms, out), from the head's own part of it."""
        self.saved.dh = self.saved.s * self.u
        return torch.baddbmm(w, self.saved.dh, self.inner.weight)

    def tangent(self, zt: Tensor) -> None:
        """Go along with ż."""
        self.saved.zt, self.saved.ht = zt, torch.bmm(zt, self.inner.weight.mT)
        self.saved.at = self.saved.s * self.saved.ht

    def adjoint(self, seed: Tensor) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """From c_i (members, atoms, 1): λ before the layer, its part of the derivative with respect
        to w, and the derivatives with respect to the layer's weights, by name.
        """
        saved, along = self.saved, self.saved.ht is not None
        lam_h = seed * self.u
        if along:
            pointwise.adjoint_(lam_h, saved.s, saved.ht, saved.dh)
        else:
            lam_h.mul_(saved.s)
        total = torch.bmm(seed.mT, saved.a)  # (members, 1, out), Σ c_i a_i + Σ ȧ_i
        total = total + saved.at.sum(1, keepdim=True) if along else total
        by_inner = torch.bmm(lam_h.mT, saved.z)
        by_bias = seed.sum(1)  # (members, 1)
        grads = {
            "outer.weight": self.w[:, :, None] * total,
            "outer.bias": self.w * by_bias,
            "base.weight": by_inner.baddbmm_(saved.dh.mT, saved.zt) if along else by_inner,
            "base.bias": lam_h.sum(1),
        }
        by_w = torch.bmm(total, self.outer.weight.mT)[:, 0] + self.outer.bias * by_bias
        lam = torch.baddbmm(seed * self.w[:, None], lam_h, self.inner.weight)
        return lam, by_w, grads


def _mixing(base: Interaction) -> Tensor:
    """V as a matrix: (members, in * sensitivities, out) or (members, in, sensitivities * out)."""
    V = base.V.permute(0, 3, 1, 2)
    return V.flatten(1, 2) if base.one_hot else V.flatten(2)


def _tau(base: Interaction) -> tuple[Tensor, Tensor]:
    """τ1 and τ2; where there is no τ2, something in its place that is not read."""
    assert base.tau1 is not None
    return base.tau1, base.tau1 if base.tau2 is None else base.tau2


def _identity(W: Tensor) -> Tensor:
    return torch.eye(W.shape[1], dtype=W.dtype).expand(len(W), -1, -1)


class _Function(torch.autograd.Function):
    """E_iⁿ and the pair gradient as functions of the weights."""

    @staticmethod
    def forward(ctx, model: HIPNN, batch: Batch, derivatives: bool, *weights: Tensor):
        ctx.set_materialize_grads(False)
        ctx.sweeps = Sweeps(model, batch, training=True)
        orders = ctx.sweeps.forward()
        return orders, ctx.sweeps.backward() if derivatives else orders.new_empty(0)

    @staticmethod
    @once_differentiable  # a second derivative of what is written out would be wrong
    def backward(ctx, c: Tensor | None, v: Tensor | None):
        model = ctx.sweeps.model
        if c is None:
            c = model.E0.new_zeros(model.members, len(ctx.sweeps.kind), len(model.blocks) + 1)
        return None, None, None, *ctx.sweeps.derivatives(c, v).values()


def orders_and_gradient(
    model: HIPNN, batch: Batch, derivatives: bool, training: bool
) -> tuple[Tensor, Tensor | None]:
    """E_iⁿ and, if ``derivatives`` is set, the pair gradient (see ``Engine`` in ``engines``)."""
    if training:
        orders, gradient = _Function.apply(model, batch, derivatives, *model.parameters())
        gradient = gradient if derivatives else None
    else:
        with torch.no_grad():
            sweeps = Sweeps(model, batch, training=False)
            orders, gradient = sweeps.forward(), sweeps.backward() if derivatives else None
    if model.repulsion is not None:  # no weight moves it
        repulsion.add(model.repulsion.walls, batch, orders, gradient)
    return orders, gradient
