"""``mlipkd evaluate-learning``."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option


def evaluate_learning(
    models: Annotated[list[Path], Argument(help="Model files, history.jsonl beside each.")],
    output: Annotated[Path, Option(help="Rows to write, CSV.")],
) -> None:
    """Errors of training and validation against the epoch, from the histories of members.

    Example: mlipkd evaluate-learning --output learning.csv teachers/seed*/model.safetensors
    """
    from mlipkd.evaluation.core.rows import write_rows
    from mlipkd.evaluation.learning import evaluate_learning

    rows, sources = evaluate_learning(models)
    write_rows(output, rows, sources)
