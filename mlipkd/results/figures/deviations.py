"""Deviations: how far each family's liquid is from the reference, by kind of distribution."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from mlipkd.evaluation.deviations import ALL
from mlipkd.evaluation.rows import Row
from mlipkd.results.figures.axes import panels_of
from mlipkd.results.figures.errors import compare


def deviations(rows: Sequence[Row]) -> Figure:
    """Total absolute errors of each family and model, means over all pairs, triplets or species.

    The reference's own bar is what its noise alone makes.
    """
    means = {
        row.metric: row.unit
        for row in rows
        if f"/{ALL}/" in row.metric and row.metric.endswith("/tae")
    }
    figure, panels = panels_of(1, len(means))
    for axes, (metric, unit) in zip(panels[0], means.items(), strict=True):
        kind, _, *cutoff, _ = metric.split("/")
        compare(axes, rows, metric)
        axes.set_ylabel("TAE" if unit == "1" else f"TAE, {unit}")
        axes.set_title(" within ".join([kind.upper(), *(f"{length} Å" for length in cutoff)]))
    return figure
