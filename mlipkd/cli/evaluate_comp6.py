"""``mlipkd evaluate-comp6``."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from mlipkd.cli.options import Device, Threads


def evaluate_comp6(
    models: Annotated[list[Path], Argument(help="Model files, or settings of calculators.")],
    settings: Annotated[Path, Option(help="Settings with the section comp6, YAML.")],
    output: Annotated[Path, Option(help="Rows to write, CSV.")],
    threads: Threads = 1,
    device: Device = "auto",
) -> None:
    """Errors of energies, conformer energies and forces on COMP6, of members and of their mean.

    Example: mlipkd evaluate-comp6 --settings comp6.yaml --output comp6.csv
    teachers/seed*/model.safetensors
    """
    from mlipkd.campaign.settings import read_evaluation
    from mlipkd.config.evaluation import Comp6Evaluation
    from mlipkd.evaluation.comp6 import evaluate_comp6, read_subset
    from mlipkd.evaluation.core.ensembles import load_ensembles, notes_of
    from mlipkd.evaluation.core.rows import Source, write_rows
    from mlipkd.jobs import artefacts
    from mlipkd.jobs.device import choose_device

    section = read_evaluation(settings, Comp6Evaluation)
    subsets = {name: read_subset(name, suite) for name, suite in section.suites.items()}
    ensembles, sources = load_ensembles(models, choose_device(device, threads))
    rows = evaluate_comp6(subsets, section.ceiling, ensembles)
    files = [file for suite in section.suites.values() for file in suite.files]
    sources += [Source(file, artefacts.sha256(Path(file)), []) for file in files]
    write_rows(output, rows, sources, notes_of(ensembles))
