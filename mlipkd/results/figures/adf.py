"""ADF: angular distribution functions of every triplet of species."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from mlipkd.evaluation.curves import Curve
from mlipkd.results.figures.axes import Colours
from mlipkd.results.figures.curves import distributions_of, small_multiples


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
