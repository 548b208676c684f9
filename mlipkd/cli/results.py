"""``mlipkd collect``, ``summary``, ``figure`` and ``report``."""

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
    from mlipkd.results.summary import summary

    text = summary(tables, manifest or [])
    artefacts.write_text(output, text)
    echo(text)


def figure(
    tables: Annotated[
        list[Path], Argument(help="Tables that mlipkd collect wrote, or files of curves.")
    ],
    kind: Annotated[
        str,
        Option(
            help="errors, comp6, curvature, capacity, learning, stability, pareto, weights, "
            "growth, rdf, pairs, adf, cdf or deviations."
        ),
    ],
    dataset: Annotated[str, Option(help="The dataset whose rows are drawn.")],
    output: Annotated[Path, Option(help="Figure to write, SVG.")],
    family: Annotated[
        list[str] | None,
        Option(
            help="All families in their order, by which they are coloured; the table's if none."
        ),
    ] = None,
    teacher: Annotated[
        str | None, Option(help="Of rdf, and of it alone: the family that others are measured by.")
    ] = None,
) -> None:
    """Draw a table, or several: pareto takes errors and cost; weights these, and structure if there
    is one; rdf takes rdf, and recommended if there is one; pairs, adf and cdf take what mlipkd
    evaluate-distributions wrote.

    Example: mlipkd figure --kind errors --dataset aluminium-emt --output errors.svg
    results/tables/errors.csv
    """
    from matplotlib import rc_context

    from mlipkd.errors import InputError
    from mlipkd.evaluation import FIGURES
    from mlipkd.jobs import artefacts
    from mlipkd.results.draw import draw

    if kind not in FIGURES:
        raise InputError(
            f"command line: expected one of the kinds {', '.join(FIGURES)}, got {kind!r}; choose "
            "one"
        )
    if (teacher is not None) != (kind == "rdf"):
        raise InputError(
            f"command line: expected --teacher with --kind rdf and with no other, got --kind "
            f"{kind} {'with' if teacher is not None else 'without'} it; change one of the two"
        )
    rows = [row for table in tables for row in FIGURES[kind].read(table)[0]]
    drawn = draw(kind, rows, dataset, family or [], **({"teacher": teacher} if teacher else {}))
    # The same table gives the same file: no date, no random names within.
    with artefacts.writing(output) as temporary, rc_context({"svg.hashsalt": "mlipkd"}):
        drawn.savefig(temporary, format="svg", metadata={"Date": None})


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
    from mlipkd.errors import InputError
    from mlipkd.jobs import artefacts
    from mlipkd.results.report.page import report

    if others := [str(path) for path in results if path.suffix not in (".csv", ".svg")]:
        raise InputError(
            f"command line: expected tables (.csv) and figures (.svg), got {', '.join(others)}; "
            "leave them out"
        )
    tables = [path for path in results if path.suffix == ".csv"]
    figures = [path for path in results if path.suffix == ".svg"]
    page = report(campaign, tables, figures, captions, logs, manifest or [])
    artefacts.write_text(output, page)
