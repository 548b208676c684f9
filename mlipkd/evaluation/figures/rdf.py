"""RDF: the structure of a liquid, of the teachers and of others beside them."""

import re
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from mlipkd.errors import InputError
from mlipkd.evaluation.core.axes import Colours, band, panels_of, styles_of, three_of
from mlipkd.evaluation.core.rows import Row

#: Of a family and model: g(r) of each member, by r in Å.
Functions = dict[tuple[str, str], dict[int | str, dict[float, float]]]


def rdf(rows: Sequence[Row], colours: Colours, teacher: str) -> Figure:
    """Radial distribution functions, and how they differ from the mean of the teachers'.

    Means over members, in bands of their standard deviations. Beside the teachers stand the
    recommended models where the table names any; or else all others, and if there are more than
    three, the smallest, the middle and the largest of the next family. Where all runs of the
    teachers failed, there is nothing to differ from, and the panel of differences says so.

    Args:
        rows: of the tables ``rdf`` and ``recommended``.
        colours: of the families.
        teacher: the family that others are measured by, of one model.

    Raises:
        InputError: there is none.
    """
    functions = _functions(rows)
    if not functions:
        raise InputError(
            "expected radial distribution functions, got none: all runs failed; look into "
            "results/tables/liquid.csv, and train longer or melt at a lower temperature"
        )
    teachers = [who for who in functions if who[0] == teacher]
    drawn = [*teachers, *_others(rows, functions, teacher)]
    distances = sorted(next(iter(next(iter(functions.values())).values())))

    figure, ((absolute, relative),) = panels_of(1, 2)
    for who, style in styles_of(drawn, colours).items():
        values = _values(functions[who])
        band(absolute, distances, values, **style)
        if teachers:
            difference = values - _values(functions[teachers[0]]).mean(0)
            band(relative, distances, difference, **style)
    if not teachers:
        relative.text(0.5, 0.5, f"no g(r) of {teacher}", ha="center", transform=relative.transAxes)
    absolute.set_ylabel("g(r)")
    relative.set_ylabel(f"Δg(r) from {teacher}")
    for axes in (absolute, relative):
        axes.set_xlabel("r, Å")
    figure.legend(handles=absolute.lines, loc="outside upper center", ncols=2, frameon=False)
    return figure


def _others(rows: Sequence[Row], functions: Functions, teacher: str) -> list[tuple[str, str]]:
    """The families and models that are drawn beside the teachers."""
    chosen = {
        (row.family, row.model): None for row in rows if row.metric == "weights" and row.subset
    }
    if chosen:  # and the teacher beside them
        return [who for who in chosen if who in functions and who[0] != teacher]
    others = [who for who in functions if who[0] != teacher]
    if len(others) <= 3:
        return others
    family = others[0][0]
    return [(family, model) for model in three_of(rows, [m for f, m in others if f == family])]


def _functions(rows: Sequence[Row]) -> Functions:
    functions: Functions = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        if isinstance(row.seed, int) and (found := re.fullmatch(r"g(\d+\.\d+)", row.metric)):
            functions[row.family, row.model][row.seed][float(found[1])] = row.value
    return functions


def _values(members: dict[int | str, dict[float, float]]) -> np.ndarray:
    """(members, distances)"""
    return np.array([[own[r] for r in sorted(own)] for own in members.values()])
