"""The derivatives of a mini-batch's loss, in parts where the memory does not hold it whole.

Err of a mini-batch is a root of a mean over all of it, so the derivatives of its parts do not add
up by themselves. Instead the residuals of all parts are computed first, without derivatives; then,
part by part, the loss of the whole is derived with the residuals of the others held fixed. The sum
is the derivative of the whole mini-batch: the steps of training stay what they were.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch

from mlipkd.config.recipe import LossTerm
from mlipkd.hipnn.batch import Batch
from mlipkd.hipnn.network import HIPNN
from mlipkd.training.data import Labels
from mlipkd.training.loss import Residuals, gradients, loss, residuals


@dataclass(frozen=True)
class Part:
    """Some configurations of a mini-batch."""

    batch: Batch
    labels: Labels
    theirs: torch.Tensor | None
    """(members, systems) bool, which configurations are whose; none if all are everyone's."""


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
    others = [_Found.of(model, part, terms, training=False) for part in parts if len(parts) > 1]
    total: list[torch.Tensor] = []
    for number, part in enumerate(parts):
        own = _Found.of(model, part, terms, training=True)
        whole = _joined([*others[:number], own, *others[number + 1 :]])
        losses = loss(
            hierarchicality_weight,
            list(zip(weights, whole.terms, strict=True)),
            whole.orders,
            whole.theirs,
        )
        found = gradients(losses, list(model.parameters()))
        total = [one + other for one, other in zip(total, found, strict=True)] if total else found
    return total, whole.terms


def compare(model: HIPNN, parts: Sequence[Part], terms: list[LossTerm]) -> list[Residuals]:
    """The residuals of each term alone."""
    return _joined([_Found.of(model, part, terms, training=False) for part in parts]).terms


def _joined(found: Sequence[_Found]) -> _Found:
    if len(found) == 1:
        return found[0]
    members = len(found[0].orders)
    terms = []
    for same in zip(*(one.terms for one in found), strict=True):
        counts = [one.counts.expand(members, -1) for one in same]
        terms.append(Residuals(torch.cat([one.values for one in same], 1), torch.cat(counts, 1)))
    theirs = [one.theirs for one in found if one.theirs is not None]
    return _Found(
        terms,
        torch.cat([one.orders for one in found], 1),
        torch.cat(theirs, 1) if theirs else None,
    )
