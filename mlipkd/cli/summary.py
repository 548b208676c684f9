"""``mlipkd summary``."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option, echo


def summary(
    tables: Annotated[list[Path], Argument(help="Tables that mlipkd collect wrote.")],
    output: Annotated[Path, Option(help="Summary to write, Markdown.")],
    manifest: Annotated[
        list[Path] | None,
        Option(help="Manifests that mlipkd merge wrote; members that these leave out are named."),
    ] = None,
) -> None:
    """Print and write the tables at a glance: models against families, mean ± deviation over seeds.

    Example: mlipkd summary --output summary.md results/tables/errors.csv results/tables/cost.csv
    """
    from mlipkd import artefacts
    from mlipkd.results.summary import summary

    text = summary(tables, manifest or [])
    artefacts.write_text(output, text)
    echo(text)
