"""Capacity: what becomes of errors as models grow."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from mlipkd.evaluation.core.axes import (
    Colours,
    differences,
    has,
    line,
    models_of,
    name_ordinate,
    natural,
    panels_of,
    values_of,
)
from mlipkd.evaluation.core.rows import Row


def capacity(rows: Sequence[Row], colours: Colours) -> Figure:
    """Errors against the architecture, of the families that have several; lines join the means."""
    wanted = ("all/energy_rmse", "all/conformer_energy_rmse", "energy_per_atom_rmse", "forces_rmse")
    metrics = [metric for metric in wanted if has(rows, metric)]
    grids = [family for family in colours if len(models_of(rows, family)) > 1]
    shapes = sorted({model for family in grids for model in models_of(rows, family)}, key=natural)
    figure, panels = panels_of(1, len(metrics))
    for axes, metric in zip(panels[0], metrics, strict=True):
        for family in grids:
            found = [(n, values_of(rows, metric, family, own)) for n, own in enumerate(shapes)]
            line(axes, found, colours[family], family)
        name_ordinate(axes, rows, metric)
        axes.set_xticks(range(len(shapes)), differences(shapes), rotation=45, ha="right")
    handles = panels[0, 0].get_legend_handles_labels()[0]
    figure.legend(handles=handles, loc="outside upper center", ncols=3, frameon=False)
    return figure
