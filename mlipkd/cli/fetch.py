"""``mlipkd fetch``."""

from pathlib import Path
from typing import Annotated

from typer import Option


def fetch(
    url: Annotated[str, Option(help="Where the file is.")],
    sha256: Annotated[str, Option(help="SHA-256 that it must have, 64 hexadecimal digits.")],
    output: Annotated[Path, Option(help="File to write.")],
) -> None:
    """Download a file, and keep it if it is the one that was meant.

    Example: mlipkd fetch --url https://example.org/data.h5 --sha256 9f86d0… --output data.h5
    """
    from mlipkd.datasets.fetch import fetch

    fetch(url, sha256, output)
