"""Pairs: radial distribution functions of every pair of species."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from mlipkd.evaluation.curves import Curve
from mlipkd.results.figures.axes import Colours
from mlipkd.results.figures.curves import distributions_of, small_multiples


def pairs(curves: Sequence[Curve], colours: Colours) -> Figure:
    """g(r), a panel for each pair.

    Raises:
        InputError: there is none.
    """
    return small_multiples(curves, colours, distributions_of(curves, "rdf"), "r, Å", "g(r)")
