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
from typing import TYPE_CHECKING

import numpy as np

from mlipkd.errors import InputError
from mlipkd.evaluation.core.curves import REFERENCE, Curve, read_curves, stacked
from mlipkd.evaluation.core.evaluation import Evaluation, Figure, Input, Job, Jobs
from mlipkd.evaluation.core.rows import Row, write_rows
from mlipkd.paths import DatasetPaths, ModelPaths

if TYPE_CHECKING:
    import matplotlib.figure

    from mlipkd.evaluation.core.axes import Colours

#: In place of species: the mean over all pairs, triplets or species.
MEAN = "*"

METRICS = {
    f"{kind}_{metric}": unit
    for kind, unit in {"rdf": "Å", "adf": "1", "cdf": "1"}.items()
    for metric in ("tae", "tae_noise")
}

#: What a mean is called in the figure.
TITLES = {"rdf_tae": "RDF", "adf_tae": "ADF", "cdf_tae": "CDF"}

Distribution = tuple[str, str, float | None]
"""Kind, species and cut-off."""


def run(job: Job) -> None:
    """How far each member's distributions are from the reference's.

    Example: mlipkd evaluate deviations --distributions distributions.csv --reference reference.csv
    --output deviations.csv
    """
    curves, source = read_curves(job.file("distributions"))
    references, reference = read_curves(job.file("reference"))
    write_rows(job.output, evaluate_deviations(curves, references), [source, reference])


def evaluate_deviations(curves: Sequence[Curve], reference: Sequence[Curve]) -> list[Row]:
    """``<kind>_tae`` of each member, the mean over its replicas of their TAE.

    And ``<kind>_tae_noise``, the contribution of noise, where there are several replicas of
    both. Subsets are species; before them stand means over all of a kind, for each cut-off of ADF.
    Of the reference the TAE is the noise of its mean. Windows are not compared.

    Args:
        curves: of members.
        reference: whose mean over replicas, and over members if there are several, is p_ref.

    Raises:
        InputError: the reference lacks a distribution, or has one that is binned differently.
    """
    references = defaultdict(list)
    for curve in reference:
        if curve.window is None:
            references[curve.distribution].append(curve)
    members = defaultdict(list)
    for curve in curves:
        if curve.window is None:
            members[curve[:4], curve.distribution].append(curve)
    errors: dict[tuple, dict[Distribution, dict[str, float]]] = defaultdict(dict)
    for (who, distribution), replicas in members.items():
        if distribution not in references:
            known = ", ".join(sorted({curve.kind for curve in reference})) or "nothing"
            raise InputError(
                f"expected {replicas[0].name} of the reference, got others ({known}); evaluate "
                "both with the same settings and species"
            )
        true = references[distribution]
        metrics = {"tae": float(total_absolute_errors(replicas, true).mean())}
        if who[1:] != REFERENCE and min(len(replicas), len(true)) > 1:
            noise = _noise(true) / math.sqrt(len(true))
            metrics["tae_noise"] = math.hypot(_noise(replicas), noise)
        errors[who][distribution] = metrics
    return [row for who, of_member in errors.items() for row in _rows(who, of_member)]


def _rows(
    who: tuple[str, str, str, int | str], errors: dict[Distribution, dict[str, float]]
) -> Iterator[Row]:
    """The rows of one member: means over all of a kind and cut-off, then each distribution."""
    kinds = defaultdict(list)
    for (kind, _, cutoff), metrics in errors.items():
        kinds[kind, MEAN, cutoff].append(metrics)
    means = {
        kind: {metric: statistics.fmean(each[metric] for each in all_of) for metric in all_of[0]}
        for kind, all_of in kinds.items()
    }
    for (kind, species, cutoff), metrics in (means | errors).items():
        for metric, value in metrics.items():
            name = f"{kind}_{metric}"
            row = Row(*who, name, value, METRICS[name], species)
            yield (
                row if cutoff is None else row._replace(condition="cut-off", at=cutoff, at_unit="Å")
            )


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


def draw(rows: Sequence[Row], colours: "Colours") -> "matplotlib.figure.Figure":
    """Total absolute errors of each family and model, means over all pairs, triplets or species.

    The reference's own bar is the noise of its mean.
    """
    from mlipkd.evaluation.core.bars import Panel, side_by_side

    means = [row for row in rows if row.subset == MEAN and row.metric in TITLES]
    panels = []
    for metric, cutoff in dict.fromkeys((row.metric, row.at) for row in means):
        of_panel = [row for row in means if (row.metric, row.at) == (metric, cutoff)]
        title = TITLES[metric] if cutoff is None else f"{TITLES[metric]} within {cutoff:g} Å"
        unit = METRICS[metric]
        panels.append(Panel(of_panel, metric, title, "TAE" if unit == "1" else f"TAE, {unit}"))
    return side_by_side(rows, colours, [panels])


DEVIATIONS = Evaluation(
    name="deviations",
    title="Distributions in the liquid",
    run=run,
    jobs=[
        Jobs(DatasetPaths(), lambda plan: plan.datasets, rule="reference_deviations"),
        Jobs(ModelPaths(), lambda plan: plan.potentials),
    ],
    inputs=[
        Input(
            "distributions",
            lambda plan, about: about.rows("distributions"),
            "Curves of the evaluation distributions, CSV.",
        ),
        Input(
            "reference",
            lambda plan, about: DatasetPaths(about.dataset).rows("distributions"),
            "The same of the reference.",
        ),
    ],
    asked_by="distributions",
    local=True,
    figures=[
        Figure(
            "deviations",
            title="Deviations from the reference liquid",
            caption="Total absolute errors (TAE) of the distributions in the liquid, means over "
            "all pairs, triplets or species: the integral of the distance from the reference's "
            "distribution. A dot is a member, a bar the mean over members, a diamond the ensemble. "
            "The reference's own bar is the noise of the reference alone; how much noise of short "
            "trajectories makes, the table has as tae_noise.",
            draw=draw,
        ),
    ],
)
