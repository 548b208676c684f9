"""``mlipkd evaluate-own``."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from mlipkd.cli.options import Device, Threads


def evaluate_own(
    models: Annotated[list[Path], Argument(help="Model files, or settings of calculators.")],
    settings: Annotated[Path, Option(help="Its name, function and options, YAML.")],
    dataset: Annotated[Path, Option(help="Dataset whose test split the function is given.")],
    output: Annotated[Path, Option(help="Rows to write, CSV.")],
    threads: Threads = 1,
    device: Device = "auto",
) -> None:
    """An evaluation of your own: a function called for each member, and for their mean.

    Example: mlipkd evaluate-own --settings own.yaml --dataset dataset.h5 --output own.csv
    teachers/seed*/model.safetensors
    """
    from mlipkd.campaign.settings import OwnSettings
    from mlipkd.datasets.file import DatasetFile
    from mlipkd.evaluation.core.ensembles import load_ensembles
    from mlipkd.evaluation.core.rows import Source, made_by, write_rows
    from mlipkd.evaluation.own import evaluate_own
    from mlipkd.imports import module_file
    from mlipkd.jobs import artefacts
    from mlipkd.jobs.device import choose_device

    own = OwnSettings.read(settings)
    ensembles, sources = load_ensembles(models, choose_device(device, threads))
    with DatasetFile(dataset) as file:
        rows = evaluate_own(file, ensembles, own)
        sources.append(Source(str(dataset), file.sha256, [made_by(file.provenance)]))
    module = module_file("function", own.function)
    sources.append(Source(str(module), artefacts.sha256(module), []))
    write_rows(output, rows, sources)
