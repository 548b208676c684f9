"""Figures: the tables as pictures, each of one dataset.

A family has the same colour in all of them, black is the reference. Dots are members, a bar their
mean, a diamond the ensemble, the mean of the members' predictions (compare Matin et al.,
arXiv 2503.14293, Figs. 2-6).
"""

from collections.abc import Callable, Sequence

from matplotlib.figure import Figure

from mlipkd.errors import InputError
from mlipkd.evaluation.core.axes import colours_of
from mlipkd.evaluation.core.bars import comp6, curvature, errors
from mlipkd.evaluation.core.curves import Curve
from mlipkd.evaluation.core.rows import Row
from mlipkd.evaluation.cost.figures import growth, pareto, weights
from mlipkd.evaluation.figures.capacity import capacity
from mlipkd.evaluation.figures.deviations import deviations
from mlipkd.evaluation.figures.distributions import adf, cdf, pairs
from mlipkd.evaluation.figures.rdf import rdf
from mlipkd.evaluation.figures.stability import stability
from mlipkd.evaluation.learning import learning

FIGURES: dict[str, Callable[..., Figure]] = {
    "errors": errors,
    "comp6": comp6,
    "curvature": curvature,
    "capacity": capacity,
    "learning": learning,
    "stability": stability,
    "pareto": pareto,
    "weights": weights,
    "growth": growth,
    "rdf": rdf,
    "pairs": pairs,
    "adf": adf,
    "cdf": cdf,
    "deviations": deviations,
}
#: Those that are drawn from curves; the others are from rows.
OF_CURVES = {"pairs", "adf", "cdf"}


def draw(
    kind: str,
    rows: Sequence[Row] | Sequence[Curve],
    dataset: str,
    families: Sequence[str] = (),
    **asked: str,
) -> Figure:
    """A figure of one dataset.

    Args:
        kind: one of FIGURES.
        rows: of a table, or its curves; those of other datasets are left out.
        dataset: its name.
        families: all of the dataset in the order by which they are coloured; those that it leaves
            out follow in the order of the rows.
        asked: what else figures of this kind are told: ``teacher`` of ``rdf``.

    Raises:
        InputError: the table has no rows of the dataset.
    """
    own = [row for row in rows if row.dataset == dataset]
    if not own:
        known = ", ".join(dict.fromkeys(row.dataset for row in rows)) or "nothing"
        raise InputError(
            f"expected rows of the dataset {dataset!r}, got {known}; name one of these"
        )
    drawn = dict.fromkeys(row.family for row in own)
    colours = colours_of([*families, *drawn])
    shown = {family: colours[family] for family in colours if family in drawn}
    return FIGURES[kind](own, shown, **asked)
