"""Pairs: radial distribution functions of every pair of species."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from mlipkd.evaluation.curves import Curve
from mlipkd.results.figures.curves import distributions_of, small_multiples


def pairs(curves: Sequence[Curve]) -> Figure:
    """g(r), a panel for each pair.

    Raises:
        InputError: there is none.
    """
    return small_multiples(curves, distributions_of(curves, "rdf"), "r, Å", "g(r)")
