"""The derivatives of a mini-batch's loss, in parts where the memory does not hold it whole.

Err of a mini-batch is a root of a mean over all of it, so the derivatives of its parts do not add
up by themselves. Instead the residuals of all parts are computed first, without derivatives; then,
part by part, the loss of the whole is derived with the residuals of the others held fixed. The sum
is the derivative of the whole mini-batch: the steps of training stay what they were.

The mean square of Hessians does add up, not over configurations alone but over columns: what they
add is derived by itself, a few columns at a time (``training/columns.py``).

The term of whole Hessians, a few of their columns at a time.

Its mean square is a sum over columns but for the number of entries, which labels alone tell. Each
few columns are derived by the weights as soon as they are there, and then forgotten: the memory is
that of a few, and nothing is computed twice.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import torch

from mlipkd.config.recipe import LossTerm
from mlipkd.hipnn.hessian import Curvature, pairs_of
from mlipkd.hipnn.network import HIPNN
from mlipkd.training.data import Part
from mlipkd.training.loss import Residuals, compared, gradients, loss, residuals


@dataclass(frozen=True)
class _Found:
    """What the loss of a part is computed from."""

    terms: list[Residuals]
    orders: torch.Tensor  # (members, atoms, N_int + 1)
    theirs: torch.Tensor | None  # (members, atoms) bool

    @classmethod
    def of(cls, model: HIPNN, part: Part, terms: list[LossTerm], training: bool) -> Self:
        found, orders = residuals(
            model, part.batch, part.labels, terms, training=training, theirs=part.theirs
        )
        theirs = None if part.theirs is None else part.theirs[:, part.batch.systems]
        return cls(found, orders, theirs)


def derive(
    model: HIPNN,
    parts: Sequence[Part],
    terms: list[LossTerm],
    weights: list[float],
    hierarchicality_weight: float,
) -> tuple[list[torch.Tensor], list[Residuals]]:
    """The derivatives by the model's weights, and the residuals of each term.

    Args:
        model: the members.
        parts: the mini-batch, whole or in parts.
        terms: of the loss.
        weights: theirs.
        hierarchicality_weight: w_R.
    """
    plain = [n for n, term in enumerate(terms) if term.quantity != "hessian"]
    few = [terms[n] for n in plain]
    others = [_Found.of(model, part, few, training=False) for part in parts if len(parts) > 1]
    total: list[torch.Tensor] = []
    found: dict[int, Residuals] = {}
    for number, part in enumerate(parts):
        own = _Found.of(model, part, few, training=True)
        whole = _joined([*others[:number], own, *others[number + 1 :]])
        losses = loss(
            hierarchicality_weight,
            list(zip([weights[n] for n in plain], whole.terms, strict=True)),
            whole.orders,
            whole.theirs,
        )
        total = _sum(total, gradients(losses, list(model.parameters())))
        found |= zip(plain, whole.terms, strict=True)
    for n, term in enumerate(terms):
        if n not in found:
            found[n], derivatives = derive_hessians(model, parts, term, weights[n])
            total = _sum(total, derivatives)
    return total, [found[n] for n in range(len(terms))]


def compare(model: HIPNN, parts: Sequence[Part], terms: list[LossTerm]) -> list[Residuals]:
    """The residuals of each term alone."""
    few = [term for term in terms if term.quantity != "hessian"]
    plain = iter(_joined([_Found.of(model, part, few, training=False) for part in parts]).terms)
    return [
        compare_hessians(model, parts, term) if term.quantity == "hessian" else next(plain)
        for term in terms
    ]


def _sum(total: list[torch.Tensor], more: list[torch.Tensor]) -> list[torch.Tensor]:
    return [one + other for one, other in zip(total, more, strict=True)] if total else more


def _joined(found: Sequence[_Found]) -> _Found:
    theirs = [one.theirs for one in found if one.theirs is not None]
    return _Found(
        [Residuals.joined(same) for same in zip(*(one.terms for one in found), strict=True)],
        torch.cat([one.orders for one in found], 1),
        torch.cat(theirs, 1) if theirs else None,
    )


def compare_hessians(model: HIPNN, parts: Sequence[Part], term: LossTerm) -> Residuals:
    """The residuals of all entries, in the order in which they are gone through."""
    found = [one for part in parts for one in _residuals(model, part, term, training=False)]
    return Residuals.joined(found)


def derive_hessians(
    model: HIPNN, parts: Sequence[Part], term: LossTerm, weight: float
) -> tuple[Residuals, list[torch.Tensor]]:
    """The residuals, and the derivatives of weight · Err by the model's weights.

    Args:
        model: the members.
        parts: the mini-batch, whole or in parts.
        term: of the loss.
        weight: its own.
    """
    entries = torch.stack([_entries(part, term) for part in parts]).sum(0)  # (members or 1,)
    entries = torch.where(entries > 0, entries, 1)
    weights = list(model.parameters())
    total = [torch.zeros_like(one) for one in weights]
    found = []
    for part in parts:
        for one in _residuals(model, part, term, training=True):
            squares = (one.values.square() * one.counts).sum(1)  # (members,)
            derivatives = torch.autograd.grad(
                (weight * squares / entries).sum(),
                weights,
                retain_graph=True,
                materialize_grads=True,
            )
            total = [own + more for own, more in zip(total, derivatives, strict=True)]
            found.append(Residuals(one.values.detach(), one.counts, one.squared))
    return Residuals.joined(found), total


def _residuals(model: HIPNN, part: Part, term: LossTerm, training: bool) -> Iterator[Residuals]:
    """The residuals of some columns after the other."""
    label = part.labels[term.labels, "hessian"]  # (pairs, 3, 3)
    theirs = _theirs(part)
    for rows, blocks in Curvature(model, part.batch, training).blocks():
        own = None if theirs is None else theirs[:, rows]
        yield compared(term, blocks, label[rows], own)


def _theirs(part: Part) -> torch.Tensor | None:
    """Which pairs of atoms are whose: (members, pairs) bool; none if all are everyone's."""
    if part.theirs is None:
        return None
    receivers, _ = pairs_of(part.batch)
    return part.theirs[:, part.batch.systems[receivers]]


def _entries(part: Part, term: LossTerm) -> torch.Tensor:
    """How many entries are labelled: (members or 1,)."""
    labelled = torch.isfinite(part.labels[term.labels, "hessian"]).sum((1, 2))  # (pairs,)
    theirs = _theirs(part)
    return labelled.sum()[None] if theirs is None else (theirs * labelled).sum(1)
