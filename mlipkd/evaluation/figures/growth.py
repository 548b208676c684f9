"""Growth: what a step of dynamics takes as systems become larger."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from mlipkd.evaluation.core.axes import Colours, models_of, panels_of, three_of
from mlipkd.evaluation.core.rows import UNITS, Row

#: Of the models of one family, from small to large.
MARKERS = "os^"


def growth(rows: Sequence[Row], colours: Colours) -> Figure:
    """Time per step and memory, both per atom, against the number of atoms.

    Of each family at most three models. What costs the same as one that is drawn already, being of
    the same architecture, is left out.
    """
    figure, panels = panels_of(1, 2)
    drawn = set()
    for family, colour in colours.items():
        models = three_of(rows, models_of(rows, family))
        for marker, model in zip(MARKERS, models, strict=False):
            own = [row for row in rows if (row.family, row.model) == (family, model)]
            costs = {what: _against_atoms(own, what) for what in ("time", "memory")}
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
    for axes, what in zip(panels[0], ("time", "memory"), strict=True):
        axes.set_xlabel("number of atoms")
        axes.set_ylabel(f"{what}, {UNITS['cost'][what]}")
        axes.set_xscale("log")
        axes.set_yscale("log")
    lines = panels[0][0].lines
    figure.legend(handles=lines, loc="outside upper center", ncols=2, frameon=False)
    return figure


def _against_atoms(rows: Sequence[Row], what: str) -> list[tuple[int, float]]:
    """Numbers of atoms in ascending order, each with one cost."""
    return sorted(
        (int(row.metric.removeprefix("atoms").partition("/")[0]), row.value)
        for row in rows
        if row.metric.startswith("atoms") and row.metric.endswith(f"/{what}")
    )
