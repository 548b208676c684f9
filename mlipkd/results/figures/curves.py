"""Curves: what the figures of distributions have in common, their lines and their panels."""

from collections.abc import Sequence
from itertools import chain

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mlipkd.errors import InputError
from mlipkd.evaluation.curves import Curve, stacked
from mlipkd.evaluation.distributions import REFERENCE
from mlipkd.evaluation.rows import ENSEMBLE
from mlipkd.results.figures.axes import Colours, Styles, band, panels_of, styles_of

COLUMNS = 3


def small_multiples(
    curves: Sequence[Curve],
    colours: Colours,
    distributions: Sequence[str],
    abscissa: str,
    ordinate: str,
) -> Figure:
    """A panel for each distribution; lines are means over replicas and members, in bands of their
    standard deviations. The ensemble has lines of its own, and the reference is black."""
    figure, panels = panels_of(-(-len(distributions) // COLUMNS), COLUMNS)
    styles = styles_of(lines_of(curves), colours)
    for axes, distribution in zip(panels.flat, distributions, strict=False):
        draw_distribution(axes, curves, distribution, styles)
        axes.set_title(distribution.split("/")[1])
    for axes in panels.flat[len(distributions) :]:
        axes.remove()
    for axes in panels[:, 0]:
        axes.set_ylabel(ordinate)
    for axes in chain(panels[-1], panels[-2] if len(panels) > 1 else ()):
        axes.set_xlabel(abscissa)
    legend(figure, styles)
    return figure


def distributions_of(curves: Sequence[Curve], kind: str) -> list[str]:
    """The distributions of one kind, in the table's order.

    Raises:
        InputError: there are none.
    """
    found = list(dict.fromkeys(curve.distribution for curve in curves if curve.kind == kind))
    if not found:
        raise InputError(
            f"expected curves of {kind}, got none: all runs failed; look into the notes of "
            "evaluate-distributions, and train longer"
        )
    return found


def line_of(curve: Curve) -> tuple[str, str]:
    """Family and model of the line that a curve is part of: what the ensemble of a model's members
    sampled is drawn apart from what they sampled, as if by a model of its own."""
    together = curve.seed == ENSEMBLE
    return curve.family, f"{curve.model} {ENSEMBLE}" if together else curve.model


def lines_of(curves: Sequence[Curve]) -> list[tuple[str, str]]:
    """All lines in the table's order; the reference is last and lies over the others."""
    found = dict.fromkeys(map(line_of, curves))
    return sorted(found, key=lambda who: who == REFERENCE[:2])


def draw_distribution(
    axes: Axes, curves: Sequence[Curve], distribution: str, styles: Styles
) -> None:
    """The lines of one distribution."""
    for who, style in styles.items():
        own = [c for c in curves if line_of(c) == who and c.distribution == distribution]
        if own:
            values = stacked(own)  # (replicas, bins)
            band(axes, (np.arange(values.shape[1]) + 0.5) * own[0].bin, values, **style)
    axes.set_ylim(bottom=0)


def legend(figure: Figure, styles: Styles) -> None:
    """Who has which line, above all panels."""
    figure.legend(
        handles=[Line2D([], [], **style) for style in styles.values()],
        loc="outside upper center",
        ncols=COLUMNS,
        frameon=False,
    )
