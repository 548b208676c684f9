"""``mlipkd evaluate-curvature``."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from mlipkd.cli.options import Device, Threads


def evaluate_curvature(
    models: Annotated[list[Path], Argument(help="Model files, or settings of calculators.")],
    settings: Annotated[Path, Option(help="Settings with the section curvature, YAML.")],
    dataset: Annotated[Path, Option(help="Their dataset, with reference Hessians.")],
    output: Annotated[Path, Option(help="Rows to write, CSV.")],
    threads: Threads = 1,
    device: Device = "auto",
) -> None:
    """Harmonic frequencies at stationary points, and errors on each kind of configurations.

    Example: mlipkd evaluate-curvature --settings curvature.yaml --dataset hessians.h5
    --output curvature.csv molecules/seed*/model.safetensors
    """
    from mlipkd.campaign.settings import read_evaluation
    from mlipkd.config.evaluation import CurvatureEvaluation
    from mlipkd.datasets.file import DatasetFile
    from mlipkd.evaluation.core.ensembles import load_ensembles, notes_of
    from mlipkd.evaluation.core.rows import Source, made_by, write_rows
    from mlipkd.evaluation.curvature import evaluate_curvature
    from mlipkd.jobs.device import choose_device

    section = read_evaluation(settings, CurvatureEvaluation)
    ensembles, sources = load_ensembles(models, choose_device(device, threads))
    with DatasetFile(dataset) as file:
        rows = evaluate_curvature(file, ensembles, section.stationary)
        sources.append(Source(str(dataset), file.sha256, [made_by(file.provenance)]))
    write_rows(output, rows, sources, notes_of(ensembles))
