"""``mlipkd figure``."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from typer import Argument, Option


def figure(
    tables: Annotated[
        list[Path], Argument(help="Tables that mlipkd collect wrote, or files of curves.")
    ],
    kind: Annotated[
        str,
        Option(
            help="errors, comp6, curvature, capacity, learning, stability, pareto, weights, "
            "growth, rdf, pairs, adf, cdf or deviations."
        ),
    ],
    dataset: Annotated[str, Option(help="The dataset whose rows are drawn.")],
    output: Annotated[Path, Option(help="Figure to write, SVG.")],
    family: Annotated[
        list[str] | None,
        Option(
            help="All families in their order, by which they are coloured; the table's if none."
        ),
    ] = None,
    teacher: Annotated[
        str | None, Option(help="Of rdf, and of it alone: the family that others are measured by.")
    ] = None,
) -> None:
    """Draw a table, or several: pareto takes errors and cost; weights these, and structure if there
    is one; rdf takes rdf, and recommended if there is one; pairs, adf and cdf take what mlipkd
    evaluate-distributions wrote.

    Example: mlipkd figure --kind errors --dataset aluminium-emt --output errors.svg
    results/tables/errors.csv
    """
    from matplotlib import rc_context

    from mlipkd import artefacts
    from mlipkd.errors import InputError
    from mlipkd.evaluation.curves import read_curves
    from mlipkd.evaluation.rows import read_rows
    from mlipkd.results.figures import FIGURES, OF_CURVES, draw

    if kind not in FIGURES:
        raise InputError(
            f"command line: wanted one of the kinds {', '.join(FIGURES)}, got {kind!r}; choose one"
        )
    if (teacher is not None) != (kind == "rdf"):
        raise InputError(
            f"command line: wanted --teacher with --kind rdf and with no other, got --kind {kind} "
            f"{'with' if teacher is not None else 'without'} it; change one of the two"
        )
    read: Callable = read_curves if kind in OF_CURVES else read_rows
    rows = [row for table in tables for row in read(table)[0]]
    drawn = draw(kind, rows, dataset, family or [], **({"teacher": teacher} if teacher else {}))
    # The same table gives the same file: no date, no random names within.
    with artefacts.writing(output) as temporary, rc_context({"svg.hashsalt": "mlipkd"}):
        drawn.savefig(temporary, format="svg", metadata={"Date": None})
