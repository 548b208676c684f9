"""Deviations: how far distributions are from those of a reference.

By the total absolute error TAE = Σ |p(x) − p_ref(x)| Δx (Olowookere et al., arXiv 2510.26650). Of
probability densities, ADF and CDF, it is a number from 0 to 2, twice the share of angles or merges
that would have to move. The paper's ADF is a probability of each bin of 1°, so that its TAE in
degrees is this number: a deviation of more than 0.2, one angle in ten, is called significant there.

Every TAE is positive, that of a perfect model too: short trajectories differ from long ones by
noise. How much that makes is told by how far replicas of the same member are from each other.
"""

import math
import statistics
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from mlipkd.errors import InputError
from mlipkd.evaluation.core.curves import REFERENCE, Curve, stacked
from mlipkd.evaluation.core.rows import UNITS, Row

#: Stands for all pairs, triplets or species where a mean over them is meant.
ALL = "*"


def evaluate_deviations(curves: Sequence[Curve], reference: Sequence[Curve]) -> list[Row]:
    """``<distribution>/tae`` of each member, the mean over its replicas of their TAE.

    And ``tae_noise``, what noise alone makes of it, where there are several replicas of both.
    Before them stand means over all distributions of a kind: ``rdf/*/tae``,
    ``adf/*/<cut-off>/tae`` and ``cdf/*/tae``. Of the reference ``tae`` is the noise of its mean.
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
    found: dict[tuple, dict[str, dict[str, float]]] = defaultdict(dict)
    for (who, distribution), own in members.items():
        if distribution not in references:
            known = ", ".join(sorted({curve.kind for curve in reference})) or "nothing"
            raise InputError(
                f"expected {distribution} of the reference, got others ({known}); evaluate both "
                "with the same settings and species"
            )
        true = references[distribution]
        metrics = {"tae": float(total_absolute_errors(own, true).mean())}
        if who[1:] != REFERENCE and min(len(own), len(true)) > 1:
            metrics["tae_noise"] = math.hypot(_noise(own), _noise(true) / math.sqrt(len(true)))
        found[who][distribution] = metrics
    return [row for who, metrics in found.items() for row in _rows(who, metrics)]


def _rows(
    who: tuple[str, str, str, int | str], found: dict[str, dict[str, float]]
) -> Iterator[Row]:
    """The rows of one member, of each distribution's metrics."""
    kinds = defaultdict(list)
    for distribution, metrics in found.items():
        kind, _, *cutoff = distribution.split("/")
        kinds["/".join([kind, ALL, *cutoff])].append(metrics)
    means = {
        kind: {metric: statistics.fmean(one[metric] for one in all_of) for metric in all_of[0]}
        for kind, all_of in kinds.items()
    }
    for name, metrics in (means | found).items():
        unit = UNITS["distributions"][name.partition("/")[0]]
        for metric, value in metrics.items():
            yield Row(*who, f"{name}/{metric}", value, unit)


def _noise(replicas: Sequence[Curve]) -> float:
    """The TAE of one replica from what endless ones would show, by how far they are apart.

    Of R independent ones each is nearer to their mean than to the truth, by √(1 − 1/R).
    """
    number = len(replicas)
    return total_absolute_errors(replicas, replicas).mean() * math.sqrt(number / (number - 1))


def total_absolute_errors(curves: Sequence[Curve], reference: Sequence[Curve]) -> np.ndarray:
    """Σ |p(x) − p_ref(x)| Δx of each curve against the mean of others: (curves,).

    Raises:
        InputError: they are binned differently.
    """
    values = stacked([*reference, *curves])  # (both, bins)
    mean = values[: len(reference)].mean(0)  # (bins,)
    return np.abs(values[len(reference) :] - mean).sum(1) * reference[0].bin
