"""``mlipkd evaluate-structure``."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option


def evaluate_structure(
    rdf: Annotated[Path, Argument(help="Rows that mlipkd evaluate-rdf wrote.")],
    teacher: Annotated[Path, Option(help="The same of the teacher's model.")],
    output: Annotated[Path, Option(help="Rows to write, CSV.")],
) -> None:
    """How far each member's radial distribution function is from the teacher's.

    Example: mlipkd evaluate-structure --teacher rdf.csv --output structure.csv rdf.csv
    """
    from mlipkd.evaluation.core.rows import read_rows, write_rows
    from mlipkd.evaluation.structure import evaluate_structure

    rows, source = read_rows(rdf)
    reference, of_teacher = read_rows(teacher)
    write_rows(output, evaluate_structure(rows, reference), [source, of_teacher])
