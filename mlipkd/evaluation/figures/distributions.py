"""Curves: what the figures of distributions have in common, their lines and their panels.

Pairs: radial distribution functions of every pair of species.

ADF: angular distribution functions of every triplet of species.

CDF: at what distances the clusters of each species merge, and how that changes with time.
"""

from collections.abc import Sequence
from itertools import chain

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mlipkd.errors import InputError
from mlipkd.evaluation.core.axes import Colours, Styles, band, panels_of, styles_of
from mlipkd.evaluation.core.curves import REFERENCE, Curve, stacked
from mlipkd.evaluation.core.rows import ENSEMBLE

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


def pairs(curves: Sequence[Curve], colours: Colours) -> Figure:
    """g(r), a panel for each pair.

    Raises:
        InputError: there is none.
    """
    return small_multiples(curves, colours, distributions_of(curves, "rdf"), "r, Å", "g(r)")


def adf(curves: Sequence[Curve], colours: Colours) -> Figure:
    """Densities of angles at the largest cut-off, a panel for each triplet, named by a neighbour,
    the one in the middle and the other neighbour.

    Raises:
        InputError: there is none.
    """
    found = distributions_of(curves, "adf")
    cutoff = max((name.rpartition("/")[2] for name in found), key=float)
    widest = [name for name in found if name.endswith(f"/{cutoff}")]
    return small_multiples(
        curves, colours, widest, "θ, degrees", f"p(θ), 1/degree (within {cutoff} Å)"
    )


#: The first window is dark and the last bright, but not so bright that it vanishes.
BRIGHTEST = 0.9


def cdf(curves: Sequence[Curve], colours: Colours) -> Figure:
    """Densities of merge distances, a column for each species.

    Above, of whole trajectories; below, a row of panels for each line above with its windows: where
    clusters grow, the peak shrinks and distances get longer from dark to bright.

    Raises:
        InputError: there is none.
    """
    whole = [name for name in distributions_of(curves, "cdf") if name.count("/") == 1]
    styles = styles_of(lines_of(curves), colours)
    figure, panels = panels_of(1 + len(styles), len(whole))
    for column, name in zip(panels.T, whole, strict=True):
        draw_distribution(column[0], curves, name, styles)
        column[0].set_title(name.partition("/")[2])
        for axes, (who, style) in zip(column[1:], styles.items(), strict=True):
            windows = _windows(curves, name, who)
            for place, window in enumerate(windows):
                colour = colormaps["viridis"](BRIGHTEST * place / max(1, len(windows) - 1))
                draw_distribution(axes, curves, window, {who: {"color": colour}})
            axes.sharex(column[0])
            axes.sharey(column[0])
            axes.set_title(f"{style['label']}, windows", fontsize="small")
        column[-1].set_xlabel("merge distance, Å")
    for axes in panels[:, 0]:
        axes.set_ylabel("p(d), 1/Å")
    legend(figure, styles)
    return figure


def _windows(curves: Sequence[Curve], name: str, who: tuple[str, str]) -> list[str]:
    """The windows of one distribution that a line has, first to last."""
    return list(
        dict.fromkeys(
            curve.distribution
            for curve in curves
            if line_of(curve) == who and curve.distribution.startswith(f"{name}/")
        )
    )
