"""The gradients of a mini-batch's loss, in microbatches where memory does not hold it whole.

Err of a mini-batch is the root of a mean over all of it, so the gradients of its microbatches do
not add up by themselves. Instead the residuals of all microbatches are computed first, without
gradients; then, one microbatch after the other, the loss of the whole is differentiated with the
residuals of the others held fixed. The sum is the gradient of the whole mini-batch: the steps of
training stay what they were.

The mean square of whole Hessians does add up, over configurations and even over columns, apart from
the number of entries, which follows from the labels. A few columns at a time are computed,
differentiated with respect to the weights and forgotten: memory holds only those, and nothing is
computed twice.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import torch

from mlipkd.config.recipe import LossTerm
from mlipkd.hipnn.hessian import Curvature
from mlipkd.hipnn.network import HIPNN
from mlipkd.training.data import Microbatch
from mlipkd.training.loss import Residuals, loss, residuals, weight_gradients


@dataclass(frozen=True)
class _Outcome:
    """What the loss of a microbatch is computed from."""

    residuals: list[Residuals]
    """Of each term."""
    orders: torch.Tensor
    """(members, atoms, N_int + 1)."""
    atoms_mask: torch.Tensor | None
    """(members, atoms) bool."""

    @classmethod
    def of(
        cls, model: HIPNN, microbatch: Microbatch, terms: Sequence[LossTerm], training: bool
    ) -> Self:
        of_terms, orders = residuals(model, microbatch, terms, training)
        return cls(of_terms, orders, microbatch.rows_mask(1))

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Those of several microbatches as that of the mini-batch."""
        masks = [part.atoms_mask for part in parts if part.atoms_mask is not None]
        return cls(
            [Residuals.joined(same) for same in zip(*(p.residuals for p in parts), strict=True)],
            torch.cat([part.orders for part in parts], 1),
            torch.cat(masks, 1) if masks else None,
        )


def differentiate(
    model: HIPNN,
    microbatches: Sequence[Microbatch],
    terms: Sequence[LossTerm],
    weights: Sequence[float],
    hierarchicality_weight: float,
) -> tuple[list[torch.Tensor], list[Residuals]]:
    """The gradients with respect to the model's weights, and the residuals of each term.

    Args:
        model: the members.
        microbatches: of one mini-batch.
        terms: of the loss.
        weights: of the terms.
        hierarchicality_weight: w_R.
    """
    plain, plain_weights = [], []
    for term, weight in zip(terms, weights, strict=True):
        if not _by_columns(term):
            plain.append(term)
            plain_weights.append(weight)
    fixed = [
        _Outcome.of(model, part, plain, training=False)
        for part in microbatches
        if len(microbatches) > 1
    ]
    total: list[torch.Tensor] = []
    for number, part in enumerate(microbatches):
        outcome = _Outcome.of(model, part, plain, training=True)
        whole = _Outcome.joined([*fixed[:number], outcome, *fixed[number + 1 :]])
        weighted = list(zip(plain_weights, whole.residuals, strict=True))
        losses = loss(hierarchicality_weight, weighted, whole.orders, whole.atoms_mask)
        total = _sum(total, weight_gradients(losses, list(model.parameters())))
    plain_residuals = iter(whole.residuals)
    parts = []
    for term, weight in zip(terms, weights, strict=True):
        if _by_columns(term):
            term_residuals, gradients = differentiate_hessians(model, microbatches, term, weight)
            total = _sum(total, gradients)
        else:
            term_residuals = next(plain_residuals)
        parts.append(term_residuals)
    return total, parts


def compare(
    model: HIPNN, microbatches: Sequence[Microbatch], terms: Sequence[LossTerm]
) -> list[Residuals]:
    """The residuals of each term, without gradients."""
    plain = [term for term in terms if not _by_columns(term)]
    outcomes = [_Outcome.of(model, part, plain, training=False) for part in microbatches]
    plain_residuals = iter(_Outcome.joined(outcomes).residuals)
    return [
        compare_hessians(model, microbatches, term) if _by_columns(term) else next(plain_residuals)
        for term in terms
    ]


def _by_columns(term: LossTerm) -> bool:
    """Whether the term is computed a few columns of Hessians at a time."""
    return term.quantity == "hessian"


def _sum(total: list[torch.Tensor], more: list[torch.Tensor]) -> list[torch.Tensor]:
    return [one + other for one, other in zip(total, more, strict=True)] if total else more


def compare_hessians(model: HIPNN, microbatches: Sequence[Microbatch], term: LossTerm) -> Residuals:
    """The residuals of all entries, in the order in which columns are computed."""
    return Residuals.joined(
        [
            columns
            for part in microbatches
            for columns in _residuals_of_columns(model, part, term, training=False)
        ]
    )


def differentiate_hessians(
    model: HIPNN, microbatches: Sequence[Microbatch], term: LossTerm, weight: float
) -> tuple[Residuals, list[torch.Tensor]]:
    """The residuals, and the gradients of weight · Err with respect to the model's weights.

    Args:
        model: the members.
        microbatches: of one mini-batch.
        term: of the loss.
        weight: of the term.
    """
    entries = torch.stack([_entries(part, term) for part in microbatches]).sum(0)
    entries = torch.where(entries > 0, entries, 1)  # (members or 1,)
    weights = list(model.parameters())
    total = [torch.zeros_like(one) for one in weights]
    parts = []
    for part in microbatches:
        for columns in _residuals_of_columns(model, part, term, training=True):
            squares = (columns.values.square() * columns.weights).sum(1)  # (members,)
            gradients = torch.autograd.grad(
                (weight * squares / entries).sum(),
                weights,
                retain_graph=True,
                materialize_grads=True,
            )
            total = _sum(total, list(gradients))
            detached = columns.values.detach()
            parts.append(Residuals(detached, columns.weights, columns.mean_square))
    return Residuals.joined(parts), total


def _residuals_of_columns(
    model: HIPNN, microbatch: Microbatch, term: LossTerm, training: bool
) -> Iterator[Residuals]:
    """The residuals of a few columns after the other."""
    label = microbatch.labels[term.name].values  # (pairs, 3, 3)
    mask = microbatch.rows_mask(2)
    for rows, blocks in Curvature(model, microbatch.batch, training).blocks():
        yield Residuals.of(term, blocks, label[rows], None if mask is None else mask[:, rows])


def _entries(microbatch: Microbatch, term: LossTerm) -> torch.Tensor:
    """How many entries of Hessians are labelled: (members or 1,)."""
    label, mask = microbatch.labels[term.name].values, microbatch.rows_mask(2)
    labelled = torch.isfinite(label).sum((1, 2))  # (pairs,)
    return labelled.sum()[None] if mask is None else (mask * labelled).sum(1)
