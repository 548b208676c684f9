"""``mlipkd evaluate-deviations``."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option


def evaluate_deviations(
    distributions: Annotated[
        Path, Argument(help="Curves that mlipkd evaluate-distributions wrote.")
    ],
    reference: Annotated[Path, Option(help="The same of the reference.")],
    output: Annotated[Path, Option(help="Rows to write, CSV.")],
) -> None:
    """How far each member's distributions are from the reference's.

    Example: mlipkd evaluate-deviations --reference reference.csv --output deviations.csv
    distributions.csv
    """
    from mlipkd.evaluation.core.curves import read_curves
    from mlipkd.evaluation.core.rows import write_rows
    from mlipkd.evaluation.deviations import evaluate_deviations

    curves, source = read_curves(distributions)
    references, of_reference = read_curves(reference)
    write_rows(output, evaluate_deviations(curves, references), [source, of_reference])
