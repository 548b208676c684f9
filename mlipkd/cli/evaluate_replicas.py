"""``mlipkd evaluate-replicas``."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from mlipkd.cli.options import Device, Runtime, Threads


def evaluate_replicas(
    models: Annotated[list[Path], Argument(help="Model file, or those of an ensemble.")],
    settings: Annotated[Path, Option(help="Settings with the section replicas, YAML.")],
    dataset: Annotated[Path, Option(help="Dataset whose test split gives the first frames.")],
    trajectory: Annotated[Path, Option(help="Frames to write, a dataset in HDF5.")],
    output: Annotated[Path, Option(help="Rows to write, CSV.")],
    threads: Threads = 1,
    device: Device = "auto",
    runtime: Runtime = None,
) -> None:
    """Sample a liquid at constant temperature, in replicas side by side.

    Of several models the forces are averaged at every step. Before its time is over, and on SIGTERM
    or SIGUSR1, it stops with exit status 75; the same command goes on from there to the same bits.

    Example: mlipkd evaluate-replicas --settings replicas.yaml --dataset dataset.h5 --trajectory
    replicas.h5 --output replicas.csv teachers/seed0/model.safetensors
    """
    from mlipkd.campaign.settings import read_evaluation
    from mlipkd.config.evaluation import ReplicasEvaluation
    from mlipkd.datasets.file import DatasetFile, write
    from mlipkd.evaluation.core.ensembles import source_of
    from mlipkd.evaluation.core.rows import Source, made_by, write_rows
    from mlipkd.evaluation.replicas import evaluate_replicas
    from mlipkd.hipnn.file import load_members
    from mlipkd.jobs.device import choose_device
    from mlipkd.jobs.resumable import Resumable, listen

    section, where = read_evaluation(settings, ReplicasEvaluation), choose_device(device, threads)
    members = load_members(models, where)
    sources = [source_of(path, one) for path, one in zip(models, members, strict=True)]
    with DatasetFile(dataset) as file:
        sources.append(Source(str(dataset), file.sha256, [made_by(file.provenance)]))
        identity = " ".join([section.model_dump_json(), *(source.sha256 for source in sources)])
        resumable = Resumable(trajectory, identity, listen(runtime))
        frames, rows, notes = evaluate_replicas(members, file, section, where, resumable)
    write(frames, trajectory)
    write_rows(output, rows, sources, notes)
    resumable.finish()
