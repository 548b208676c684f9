"""``mlipkd figure``."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option


def figure(
    tables: Annotated[list[Path], Argument(help="Tables that mlipkd collect wrote.")],
    kind: Annotated[
        str,
        Option(
            help="errors, comp6, capacity, learning, stability, pareto, weights, growth or rdf."
        ),
    ],
    dataset: Annotated[str, Option(help="The dataset whose rows are drawn.")],
    output: Annotated[Path, Option(help="Figure to write, SVG.")],
) -> None:
    """Draw a table, or several: ``pareto`` takes errors and cost; ``weights`` these, and structure
    if there is one; ``rdf`` takes rdf, and recommended if there is one.

    Example: mlipkd figure --kind comp6 --dataset chno --output comp6.svg results/tables/comp6.csv
    """
    from matplotlib import rc_context

    from mlipkd import artefacts
    from mlipkd.errors import InputError
    from mlipkd.evaluation.rows import read_rows
    from mlipkd.results.figures import FIGURES, draw

    if kind not in FIGURES:
        raise InputError(
            f"command line: wanted one of the kinds {', '.join(FIGURES)}, got {kind!r}; choose one"
        )
    rows = [row for table in tables for row in read_rows(table)[0]]
    drawn = draw(kind, rows, dataset)
    # The same table gives the same file: no date, no random names within.
    with artefacts.writing(output) as temporary, rc_context({"svg.hashsalt": "mlipkd"}):
        drawn.savefig(temporary, format="svg", metadata={"Date": None})
