"""``mlipkd evaluate-cost``."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from mlipkd.cli.options import Device, Threads


def evaluate_cost(
    models: Annotated[list[Path], Argument(help="Model files, one for each family and model.")],
    settings: Annotated[Path, Option(help="Settings with the section cost, YAML.")],
    dataset: Annotated[Path, Option(help="Dataset whose test split gives the system to run.")],
    output: Annotated[Path, Option(help="Rows to write, CSV.")],
    threads: Threads = 1,
    device: Device = "auto",
) -> None:
    """Weights, time per step of molecular dynamics and memory per atom, models taking turns; with
    growth in the settings, at several sizes of the system, too.

    Example: mlipkd evaluate-cost --settings cost.yaml --dataset dataset.h5 --output cost.csv
    teachers/seed0/model.safetensors students/seed0/model.safetensors
    """
    from mlipkd.campaign.settings import read_evaluation
    from mlipkd.config.evaluation import CostEvaluation
    from mlipkd.datasets.file import DatasetFile
    from mlipkd.evaluation.core.ensembles import source_of
    from mlipkd.evaluation.core.rows import Source, made_by, write_rows
    from mlipkd.evaluation.cost.cost import evaluate_cost
    from mlipkd.evaluation.cost.measurement import example_of
    from mlipkd.hipnn.file import load_potential
    from mlipkd.jobs.device import choose_device

    section = read_evaluation(settings, CostEvaluation)
    with DatasetFile(dataset) as file:
        example = example_of(file)
        sources = [Source(str(dataset), file.sha256, [made_by(file.provenance)])]
    where = choose_device(device, threads)
    potentials = {model: load_potential(model, where) for model in models}
    rows, notes = evaluate_cost(example, potentials, section, threads, where)
    sources += [source_of(model, one) for model, one in potentials.items()]
    write_rows(output, rows, sources, notes)
