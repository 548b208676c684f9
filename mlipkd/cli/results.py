"""``mlipkd collect``, ``summary``, ``figure`` and ``report``."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option, echo

from mlipkd.evaluation import FIGURES


def collect(
    rows: Annotated[list[Path], Argument(help="Files of rows that mlipkd evaluate wrote.")],
    output: Annotated[Path, Option(help="Table to write, CSV.")],
) -> None:
    """Put the rows of many evaluations into one table.

    Example: mlipkd collect --output results/tables/errors.csv results/*/*/*/errors.csv
    """
    from mlipkd.results.tables import collect, made_by_line

    versions = collect(rows, output)
    if len(versions) > 1:
        echo(f"{output}: {made_by_line(versions)}", err=True)


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
    from mlipkd.jobs import artefacts
    from mlipkd.results.tables import summary

    text = summary(tables, manifest or [])
    artefacts.write_text(output, text)
    echo(text)


def figure(
    tables: Annotated[
        list[Path], Argument(help="Tables that mlipkd collect wrote, or files of curves.")
    ],
    kind: Annotated[str, Option(help=f"One of {', '.join(FIGURES)}.")],
    dataset: Annotated[str, Option(help="The dataset whose rows are drawn.")],
    output: Annotated[Path, Option(help="Figure to write, SVG.")],
    family: Annotated[
        list[str] | None,
        Option(
            help="All families in their order, by which they are coloured; the table's if none."
        ),
    ] = None,
    option: Annotated[
        list[str] | None,
        Option(help="What this kind needs to know, too, NAME=VALUE: teacher=FAMILY of rdf."),
    ] = None,
) -> None:
    """Draw a table, or several: pareto takes errors and cost; weights these, and structure if there
    is one; rdf takes rdf, and recommended if there is one; pairs, adf and cdf take what mlipkd
    evaluate distributions wrote.

    Example: mlipkd figure --kind errors --dataset aluminium-emt --output errors.svg
    results/tables/errors.csv
    """
    from matplotlib import rc_context

    from mlipkd.errors import InputError
    from mlipkd.jobs import artefacts

    if kind not in FIGURES:
        raise InputError(
            f"command line: expected one of the kinds {', '.join(FIGURES)}, got {kind!r}; choose "
            "one"
        )
    if unnamed := [words for words in option or [] if "=" not in words]:
        raise InputError(
            f"command line: expected --option NAME=VALUE, got {', '.join(unnamed)}; name it"
        )
    options = dict(words.split("=", 1) for words in option or [])
    expected = FIGURES[kind].option_names
    if options.keys() != expected:
        raise InputError(
            f"command line: expected the options {', '.join(sorted(expected)) or 'none'} of "
            f"{kind}, got {', '.join(options) or 'none'}; give these"
        )
    rows = [row for table in tables for row in FIGURES[kind].read(table)[0]]
    drawn = FIGURES[kind].of_dataset(rows, dataset, family or [], **options)
    # The same table gives the same file: no date, no random names within.
    with artefacts.writing(output) as temporary, rc_context({"svg.hashsalt": "mlipkd"}):
        drawn.savefig(temporary, format="svg", metadata={"Date": None})


def report(
    results: Annotated[list[Path], Argument(help="Tables (.csv) and figures (.svg).")],
    campaign: Annotated[Path, Option(help="The campaign's configuration, YAML.")],
    logs: Annotated[Path, Option(help="Folder with the benchmarks of the campaign's jobs.")],
    output: Annotated[Path, Option(help="Report to write, HTML.")],
    manifest: Annotated[
        list[Path] | None,
        Option(help="Manifests that mlipkd merge wrote; members that these leave out are named."),
    ] = None,
) -> None:
    """Write a campaign as one page, with all that it needs within: tables, figures, provenance.

    Example: mlipkd report --campaign config.yaml --logs logs --output report.html
    results/tables/*.csv results/figures/*/*.svg
    """
    from mlipkd.errors import InputError
    from mlipkd.jobs import artefacts
    from mlipkd.results.report import report

    if others := [str(path) for path in results if path.suffix not in (".csv", ".svg")]:
        raise InputError(
            f"command line: expected tables (.csv) and figures (.svg), got {', '.join(others)}; "
            "leave them out"
        )
    tables = [path for path in results if path.suffix == ".csv"]
    figures = [path for path in results if path.suffix == ".svg"]
    page = report(campaign, tables, figures, logs, manifest or [])
    artefacts.write_text(output, page)
