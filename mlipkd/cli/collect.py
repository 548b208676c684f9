"""``mlipkd collect``."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option, echo


def collect(
    rows: Annotated[list[Path], Argument(help="Files of rows that the evaluate verbs wrote.")],
    output: Annotated[Path, Option(help="Table to write, CSV.")],
) -> None:
    """Put the rows of many evaluations into one table.

    Example: mlipkd collect --output results/tables/errors.csv results/*/*/*/errors.csv
    """
    from mlipkd.results.collect import collect
    from mlipkd.results.summary import made_by_line

    versions = collect(rows, output)
    if len(versions) > 1:
        echo(f"{output}: {made_by_line(versions)}", err=True)
