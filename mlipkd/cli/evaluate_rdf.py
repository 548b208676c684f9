"""``mlipkd evaluate-rdf``."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option


def evaluate_rdf(
    trajectories: Annotated[list[Path], Argument(help="Frames of the members of a model, HDF5.")],
    settings: Annotated[Path, Option(help="Settings with the section rdf, YAML.")],
    output: Annotated[Path, Option(help="Rows to write, CSV.")],
) -> None:
    """Radial distribution function of each member's liquid.

    Example: mlipkd evaluate-rdf --settings rdf.yaml --output rdf.csv teachers/seed*/liquid.h5
    """
    from mlipkd.campaign.settings import read_evaluation
    from mlipkd.config.evaluation import RdfEvaluation
    from mlipkd.datasets.file import DatasetFile
    from mlipkd.evaluation.core.rows import write_rows
    from mlipkd.evaluation.rdf import evaluate_rdf

    section = read_evaluation(settings, RdfEvaluation)
    rows, notes, sources = [], [], []
    for path in trajectories:
        with DatasetFile(path) as trajectory:
            found, told, source = evaluate_rdf(trajectory, section)
        rows += found
        notes += told
        sources.append(source)
    write_rows(output, rows, sources, notes)
