"""Pareto: what accuracy costs."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from mlipkd.evaluation.rows import Row
from mlipkd.results.figures.axes import colours_of, line, name_ordinate, panels_of
from mlipkd.results.figures.selection import has, models_of, values_of


def pareto(rows: Sequence[Row]) -> Figure:
    """Errors of forces, or of energies where there are none, against what a model costs.

    Means over seeds; bars are standard deviations. Below and to the left is better.
    """
    error = "forces_rmse" if has(rows, "forces_rmse") else "energy_per_atom_rmse"
    costs = ("time", "memory", "weights")
    figure, panels = panels_of(1, len(costs))
    for axes, cost in zip(panels[0], costs, strict=True):
        for family, colour in colours_of(rows).items():
            found = [
                (at, values_of(rows, error, family, model))
                for model in models_of(rows, family)
                for at in values_of(rows, cost, family, model)[:1]
            ]
            line(axes, sorted(found), colour, family)
        name_ordinate(axes, rows, error)
        unit = next(row.unit for row in rows if row.metric == cost)
        axes.set_xlabel(f"{cost}, {unit}" if unit != "1" else f"number of {cost}")
        axes.set_xscale("log")
    panels[0][0].legend(frameon=False)
    return figure
