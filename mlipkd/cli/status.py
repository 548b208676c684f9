"""``mlipkd status``."""

from pathlib import Path
from typing import Annotated

from typer import Option, echo


def status(
    configfile: Annotated[Path, Option(help="The campaign's file.")] = Path("config.yaml"),
    directory: Annotated[Path, Option(help="Where Snakemake runs it.")] = Path("."),
) -> None:
    """Tell how far a campaign is: its jobs, and the latest errors of each family.

    It reads what lies in results/ and logs/ and disturbs nothing.

    Example: mlipkd status --configfile campaigns/reduced/qm22.yaml --directory runs/qm22
    """
    from mlipkd.status.text import status

    echo(status(configfile, directory))
