"""Deviations: how far each family's liquid is from the reference, by kind of distribution."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from mlipkd.evaluation.core.axes import Colours
from mlipkd.evaluation.core.bars import Panel, side_by_side
from mlipkd.evaluation.core.rows import Row
from mlipkd.evaluation.deviations import ALL


def deviations(rows: Sequence[Row], colours: Colours) -> Figure:
    """Total absolute errors of each family and model, means over all pairs, triplets or species.

    The reference's own bar is the noise of its mean.
    """
    units = {
        row.metric: row.unit
        for row in rows
        if f"/{ALL}/" in row.metric and row.metric.endswith("/tae")
    }
    panels = [
        Panel(rows, metric, _title(metric), "TAE" if unit == "1" else f"TAE, {unit}")
        for metric, unit in units.items()
    ]
    return side_by_side(rows, colours, [panels])


def _title(metric: str) -> str:
    """The kind of distribution, and the cut-off if it has one."""
    kind, _, *cutoff, _ = metric.split("/")
    return " within ".join([kind.upper(), *(f"{length} Å" for length in cutoff)])
