"""``mlipkd report``."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option


def report(
    results: Annotated[list[Path], Argument(help="Tables (.csv) and figures (.svg).")],
    campaign: Annotated[Path, Option(help="The campaign's configuration, YAML.")],
    captions: Annotated[Path, Option(help="Folder with a caption for each kind of figure.")],
    logs: Annotated[Path, Option(help="Folder with the benchmarks of the campaign's jobs.")],
    output: Annotated[Path, Option(help="Report to write, HTML.")],
    manifest: Annotated[
        list[Path] | None,
        Option(help="Manifests that mlipkd merge wrote; members that these leave out are named."),
    ] = None,
) -> None:
    """Write a campaign as one page, with all that it needs within: tables, figures, provenance.

    Example: mlipkd report --campaign config.yaml --captions workflow/report --logs logs
    --output report.html results/tables/*.csv results/figures/*/*.svg
    """
    from mlipkd import artefacts
    from mlipkd.errors import InputError
    from mlipkd.results.report.page import report

    if others := [str(path) for path in results if path.suffix not in (".csv", ".svg")]:
        raise InputError(
            f"command line: wanted tables (.csv) and figures (.svg), got {', '.join(others)}; "
            "leave them out"
        )
    tables = [path for path in results if path.suffix == ".csv"]
    figures = [path for path in results if path.suffix == ".svg"]
    page = report(campaign, tables, figures, captions, logs, manifest or [])
    artefacts.write_text(output, page)
