"""The term of whole Hessians, a few of their columns at a time.

Its mean square is a sum over columns but for the number of entries, which labels alone tell. Each
few columns are derived by the weights as soon as they are there, and then forgotten: the memory is
that of a few, and nothing is computed twice.
"""

from collections.abc import Iterator, Sequence

import torch

from mlipkd.config.recipe import LossTerm
from mlipkd.hipnn.hessian import Curvature, pairs_of
from mlipkd.hipnn.network import HIPNN
from mlipkd.training.data import Part
from mlipkd.training.loss import Residuals, compared


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
