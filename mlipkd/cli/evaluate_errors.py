"""``mlipkd evaluate-errors``."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from mlipkd.cli.options import Device, Threads


def evaluate_errors(
    models: Annotated[list[Path], Argument(help="Model files, or settings of calculators.")],
    dataset: Annotated[Path, Option(help="Dataset whose test split is asked for.")],
    output: Annotated[Path, Option(help="Rows to write, CSV.")],
    threads: Threads = 1,
    device: Device = "auto",
) -> None:
    """Errors of energies and forces on the test split, of members and of their mean.

    Example: mlipkd evaluate-errors --dataset dataset.h5 --output errors.csv
    teachers/seed*/model.safetensors
    """
    from mlipkd.datasets.file import DatasetFile
    from mlipkd.evaluation.core.ensembles import load_ensembles, notes_of
    from mlipkd.evaluation.core.rows import Source, made_by, write_rows
    from mlipkd.evaluation.errors import evaluate_errors
    from mlipkd.jobs.device import choose_device

    ensembles, sources = load_ensembles(models, choose_device(device, threads))
    with DatasetFile(dataset) as file:
        rows = evaluate_errors(file, ensembles)
        sources.append(Source(str(dataset), file.sha256, [made_by(file.provenance)]))
    write_rows(output, rows, sources, notes_of(ensembles))
