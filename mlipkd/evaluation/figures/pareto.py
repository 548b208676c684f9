"""Pareto: errors against what a model costs; below and to the left is better."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from mlipkd.evaluation.core.axes import Colours, has, models_of, name_ordinate, panels_of, values_of
from mlipkd.evaluation.core.rows import Row

#: Costs that differ by this factor have a logarithmic abscissa.
WIDE = 4

Points = dict[str, tuple[float, list[float]]]
"""Of each model of a family: its cost, and the errors of its members."""


def pareto(rows: Sequence[Row], colours: Colours) -> Figure:
    """Errors of forces, or of energies where there are none, against time and against memory."""
    error = "forces_rmse" if has(rows, "forces_rmse") else "energy_per_atom_rmse"
    return _figure(rows, colours, [(cost, error) for cost in ("time", "memory")])


def weights(rows: Sequence[Row], colours: Colours) -> Figure:
    """Errors of energies and forces, and of the structure of the liquid where there is any,
    against the number of weights."""
    errors = [m for m in ("energy_per_atom_rmse", "forces_rmse", "rdf/tae") if has(rows, m)]
    return _figure(rows, colours, [("weights", error) for error in errors])


def _figure(rows: Sequence[Row], colours: Colours, wanted: Sequence[tuple[str, str]]) -> Figure:
    """A panel for each cost and error.

    Models are means over seeds with standard deviations; squares are those that their family has
    alone. A line joins the Pareto front of a family, the models that no other of it beats in both;
    filled are those that no model of any family does.
    """
    figure, panels = panels_of(1, len(wanted))
    styles: dict[str, dict[str, Any]] = {}
    for family, colour in colours.items():
        alone = len(models_of(rows, family)) == 1
        marker = {"marker": "s", "zorder": 3} if alone else {"marker": "o"}
        styles[family] = {"color": colour, "mfc": "white", **marker}
    drawn = set()
    for axes, (cost, error) in zip(panels[0], wanted, strict=True):
        families = {family: _points(rows, family, cost, error) for family in colours}
        drawn |= {family for family, points in families.items() if points}
        best = front([place for points in families.values() for place in _means(points)])
        for family, points in families.items():
            _draw(axes, points, best, styles[family])
        name_ordinate(axes, rows, error)
        unit = next(row.unit for row in rows if row.metric == cost)
        axes.set_xlabel(f"{cost}, {unit}" if unit != "1" else f"number of {cost}")
        _scale(axes, [place for points in families.values() for place, _ in points.values()])
    handles = [
        Line2D([], [], label=family, **style) for family, style in styles.items() if family in drawn
    ]
    handles.append(Line2D([], [], color="0.4", marker="o", ls="", label="Pareto front of all"))
    figure.legend(handles=handles, loc="outside upper center", ncols=3, frameon=False)
    return figure


def _scale(axes: Axes, costs: Sequence[float]) -> None:
    """A logarithmic abscissa, or one from zero for costs that differ too little for it."""
    if not costs or max(costs) >= WIDE * min(costs):
        axes.set_xscale("log")
    else:
        axes.set_xlim(0, 1.1 * max(costs))
        axes.xaxis.set_major_locator(MaxNLocator(5))


def _points(rows: Sequence[Row], family: str, cost: str, error: str) -> Points:
    """The models of a family of which both are known."""
    found = {
        model: (values_of(rows, cost, family, model), values_of(rows, error, family, model))
        for model in models_of(rows, family)
    }
    return {
        model: (costs[0], errors) for model, (costs, errors) in found.items() if costs and errors
    }


def _means(points: Points) -> list[tuple[float, float]]:
    return [(cost, float(np.mean(errors))) for cost, errors in points.values()]


def front(places: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The pairs (cost, error) that no other beats: as low at least in both, and lower in one."""
    return sorted(
        {
            (cost, error)
            for cost, error in places
            if not any(c <= cost and e <= error and (c, e) != (cost, error) for c, e in places)
        }
    )


def _draw(
    axes: Axes, points: Points, best: Sequence[tuple[float, float]], style: dict[str, Any]
) -> None:
    """The models of one family and their front; ``best`` is that of all families."""
    places = _means(points)
    own = front(places)
    axes.plot([c for c, _ in own], [e for _, e in own], color=style["color"], linewidth=1)
    for (cost, error), (_, errors) in zip(places, points.values(), strict=True):
        spread = float(np.std(errors, ddof=1)) if len(errors) > 1 else 0
        fill = {"mfc": style["color"]} if (cost, error) in best else {}
        axes.errorbar(cost, error, yerr=spread, elinewidth=0.8, **style | fill)
