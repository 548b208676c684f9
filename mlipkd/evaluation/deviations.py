"""Deviations: how far distributions are from those of a reference.

By the total absolute error TAE = Σ |p(x) − p_ref(x)| Δx (Olowookere et al., arXiv 2510.26650). Of
probability densities, ADF and CDF, it is a number from 0 to 2, twice the share of angles or merges
that would have to move. The paper's ADF is a probability of each bin of 1°, so that its TAE in
degrees is this number: a deviation of more than 0.2, one angle in ten, is called significant there.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from mlipkd.errors import InputError
from mlipkd.evaluation.curves import Curve, stacked
from mlipkd.evaluation.distributions import REFERENCE
from mlipkd.evaluation.rows import UNITS, Row

#: Stands for all pairs, triplets or species where a mean over them is meant.
ALL = "*"


def evaluate_deviations(curves: Sequence[Curve], reference: Sequence[Curve]) -> list[Row]:
    """``<distribution>/tae`` of each member, the mean over its replicas of their TAE.

    And ``tae_spread``, the standard deviation over replicas where there are several. Before them
    stand means over all distributions of a kind: ``rdf/*/tae``, ``adf/*/<cut-off>/tae`` and
    ``cdf/*/tae``.
    Windows are not compared.

    Args:
        curves: of members.
        reference: whose mean over replicas, and over members if there are several, is p_ref.

    Raises:
        InputError: the reference lacks a distribution, or has one that is binned differently.
    """
    references = defaultdict(list)
    for curve in reference:
        references[curve.distribution].append(curve)
    members = defaultdict(list)
    for curve in curves:
        if not curve.of_window:
            members[curve[:4], curve.distribution].append(curve)
    errors: dict[tuple, dict[str, np.ndarray]] = defaultdict(dict)
    for (who, distribution), own in members.items():
        if distribution not in references:
            known = ", ".join(sorted({curve.kind for curve in reference})) or "nothing"
            raise InputError(
                f"wanted {distribution} of the reference, got others ({known}); evaluate both "
                "with the same settings and species"
            )
        errors[who][distribution] = total_absolute_errors(own, references[distribution])
    return [row for who, own in errors.items() for row in _rows(who, own)]


def _rows(who: tuple[str, str, str, int | str], errors: dict[str, np.ndarray]) -> Iterator[Row]:
    """The rows of one member, of each distribution's errors in each replica."""
    kinds = defaultdict(list)
    for distribution, own in errors.items():
        kind, _, *cutoff = distribution.split("/")
        kinds["/".join([kind, ALL, *cutoff])].append(own)
    for name, own in (
        {kind: np.mean(all_of, 0) for kind, all_of in kinds.items()} | errors
    ).items():
        found = {"tae": own.mean()}
        # Two halves of a reference are equally far from their mean.
        if len(own) > 1 and who[1:] != REFERENCE:
            found["tae_spread"] = own.std(ddof=1)
        unit = UNITS["distributions"][name.partition("/")[0]]
        for metric, value in found.items():
            yield Row(*who, f"{name}/{metric}", float(value), unit)


def total_absolute_errors(curves: Sequence[Curve], reference: Sequence[Curve]) -> np.ndarray:
    """Σ |p(x) − p_ref(x)| Δx of each curve against the mean of others: (curves,).

    Raises:
        InputError: they are binned differently.
    """
    values = stacked([*reference, *curves])  # (both, bins)
    mean = values[: len(reference)].mean(0)  # (bins,)
    return np.abs(values[len(reference) :] - mean).sum(1) * reference[0].bin
