"""``mlipkd whereabouts``."""

from pathlib import Path
from typing import Annotated

from typer import Option


def whereabouts(
    output: Annotated[Path, Option(help="Text to write.")],
) -> None:
    """Say where this runs: host, SLURM job, GPUs, Python, and which mlipkd.

    Example: mlipkd whereabouts --output here.txt
    """
    from mlipkd.cluster.whereabouts import whereabouts

    output.write_text(whereabouts())
