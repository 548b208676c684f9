"""Drawing: a figure of one dataset, from tables of all."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlipkd.errors import InputError
from mlipkd.evaluation import FIGURES
from mlipkd.evaluation.core.curves import Curve
from mlipkd.evaluation.core.rows import Row

if TYPE_CHECKING:
    import matplotlib.figure


def draw(
    name: str,
    rows: Sequence[Row] | Sequence[Curve],
    dataset: str,
    families: Sequence[str] = (),
    **options: str,
) -> "matplotlib.figure.Figure":
    """A figure of one dataset.

    Args:
        name: one of ``FIGURES``.
        rows: of tables, or curves; those of other datasets are left out.
        dataset: its name.
        families: all of the dataset in the order by which they are coloured; those that it leaves
            out follow in the order of the rows.
        options: what else this figure is told.

    Raises:
        InputError: there are no rows of the dataset.
    """
    from mlipkd.evaluation.core.axes import colours_of

    of_dataset = [row for row in rows if row.dataset == dataset]
    if not of_dataset:
        known = ", ".join(dict.fromkeys(row.dataset for row in rows)) or "nothing"
        raise InputError(
            f"expected rows of the dataset {dataset!r}, got {known}; name one of these"
        )
    drawn = dict.fromkeys(row.family for row in of_dataset)
    colours = colours_of([*families, *drawn])
    shown = {family: colours[family] for family in colours if family in drawn}
    return FIGURES[name].draw(of_dataset, shown, **options)
