"""Figures of cost: errors against what a model costs, and how costs grow with the system."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mlipkd.evaluation.core.rows import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from mlipkd.evaluation.core.axes import Colours

#: Costs that differ by this factor have a logarithmic abscissa.
WIDE = 4
#: Of the models of one family, from small to large, in the figure of growth.
MARKERS = "os^"

Points = dict[str, tuple[float, list[float]]]
"""Of each model of a family: its cost, and the errors of its members."""


def draw_pareto(rows: Sequence[Row], colours: "Colours") -> "Figure":
    """Errors of forces, or of energies where there are none, against time and against memory."""
    from mlipkd.evaluation.core.axes import has

    error = "forces_rmse" if has(rows, "forces_rmse") else "energy_per_atom_rmse"
    return _errors_against_costs(rows, colours, [(cost, error) for cost in ("time", "memory")])


def draw_weights(rows: Sequence[Row], colours: "Colours") -> "Figure":
    """Errors of energies and forces, and of the structure of the liquid where there is any,
    against the number of weights."""
    from mlipkd.evaluation.core.axes import has

    errors = [m for m in ("energy_per_atom_rmse", "forces_rmse", "tae") if has(rows, m)]
    return _errors_against_costs(rows, colours, [("weights", error) for error in errors])


def _errors_against_costs(
    rows: Sequence[Row], colours: "Colours", panels: Sequence[tuple[str, str]]
) -> "Figure":
    """A panel for each cost and error.

    Models are means over seeds with standard deviations; squares are the only models of their
    family. A line joins the Pareto front of a family, the models that no other of it beats in both;
    filled are those that no model of any family does.
    """
    from matplotlib.lines import Line2D

    from mlipkd.evaluation.core.axes import models_of, name_ordinate, panels_of

    rows = [row for row in rows if row.at is None]  # none of the costs of growth
    figure, all_axes = panels_of(1, len(panels))
    styles: dict[str, dict[str, Any]] = {}
    for family, colour in colours.items():
        single = len(models_of(rows, family)) == 1
        marker = {"marker": "s", "zorder": 3} if single else {"marker": "o"}
        styles[family] = {"color": colour, "mfc": "white", **marker}
    drawn = set()
    for axes, (cost, error) in zip(all_axes[0], panels, strict=True):
        families = {family: _points(rows, family, cost, error) for family in colours}
        drawn |= {family for family, points in families.items() if points}
        best = front([point for points in families.values() for point in _means(points)])
        for family, points in families.items():
            _draw_family(axes, points, best, styles[family])
        name_ordinate(axes, rows, error)
        unit = next(row.unit for row in rows if row.metric == cost)
        axes.set_xlabel(f"{cost}, {unit}" if unit != "1" else f"number of {cost}")
        _scale(axes, [cost for points in families.values() for cost, _ in points.values()])
    handles = [
        Line2D([], [], label=family, **style) for family, style in styles.items() if family in drawn
    ]
    handles.append(Line2D([], [], color="0.4", marker="o", ls="", label="Pareto front of all"))
    figure.legend(handles=handles, loc="outside upper center", ncols=3, frameon=False)
    return figure


def _scale(axes: "Axes", costs: Sequence[float]) -> None:
    """A logarithmic abscissa, or one from zero for costs that differ too little for it."""
    from matplotlib.ticker import MaxNLocator

    if not costs or max(costs) >= WIDE * min(costs):
        axes.set_xscale("log")
    else:
        axes.set_xlim(0, 1.1 * max(costs))
        axes.xaxis.set_major_locator(MaxNLocator(5))


def _points(rows: Sequence[Row], family: str, cost: str, error: str) -> Points:
    """The models of a family of which both are known."""
    from mlipkd.evaluation.core.axes import models_of, values_of

    values = {
        model: (values_of(rows, cost, family, model), values_of(rows, error, family, model))
        for model in models_of(rows, family)
    }
    return {
        model: (costs[0], errors) for model, (costs, errors) in values.items() if costs and errors
    }


def _means(points: Points) -> list[tuple[float, float]]:
    return [(cost, float(np.mean(errors))) for cost, errors in points.values()]


def front(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The pairs (cost, error) that no other beats: as low at least in both, and lower in one."""
    return sorted(
        {
            (cost, error)
            for cost, error in points
            if not any(c <= cost and e <= error and (c, e) != (cost, error) for c, e in points)
        }
    )


def _draw_family(
    axes: "Axes", points: Points, best: Sequence[tuple[float, float]], style: dict[str, Any]
) -> None:
    """The models of one family and their front; ``best`` is the front of all families."""
    means = _means(points)
    family_front = front(means)
    axes.plot(
        [cost for cost, _ in family_front],
        [error for _, error in family_front],
        color=style["color"],
        linewidth=1,
    )
    for (cost, error), (_, errors) in zip(means, points.values(), strict=True):
        spread = float(np.std(errors, ddof=1)) if len(errors) > 1 else 0
        fill = {"mfc": style["color"]} if (cost, error) in best else {}
        axes.errorbar(cost, error, yerr=spread, elinewidth=0.8, **style | fill)


def draw_growth(rows: Sequence[Row], colours: "Colours") -> "Figure":
    """Time per step and memory, both per atom, against the number of atoms.

    Of each family at most three models. What costs the same as one that is drawn already, being of
    the same architecture, is left out.
    """
    from mlipkd.evaluation.core.axes import models_of, panels_of, three_of

    figure, panels = panels_of(1, 2)
    drawn = set()
    for family, colour in colours.items():
        models = three_of(rows, models_of(rows, family))
        for marker, model in zip(MARKERS, models, strict=False):
            of_model = [row for row in rows if (row.family, row.model) == (family, model)]
            costs = {metric: _against_atoms(of_model, metric) for metric in ("time", "memory")}
            key = (model, *map(tuple, costs.values()))
            if key in drawn:
                continue
            drawn.add(key)
            for axes, points in zip(panels[0], costs.values(), strict=True):
                axes.plot(
                    *zip(*points, strict=True),
                    color=colour,
                    marker=marker,
                    label=f"{family} {model}",
                )
    for axes, metric in zip(panels[0], ("time", "memory"), strict=True):
        unit = next(row.unit for row in rows if row.metric == metric)
        axes.set_xlabel("number of atoms")
        axes.set_ylabel(f"{metric}, {unit}")
        axes.set_xscale("log")
        axes.set_yscale("log")
    lines = panels[0][0].lines
    figure.legend(handles=lines, loc="outside upper center", ncols=2, frameon=False)
    return figure


def _against_atoms(rows: Sequence[Row], metric: str) -> list[tuple[float, float]]:
    """Numbers of atoms in ascending order, each with one cost."""
    return sorted(
        (row.at, row.value) for row in rows if row.metric == metric and row.at is not None
    )
