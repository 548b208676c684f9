"""``mlipkd train``, ``transfer``, ``predict`` and ``merge``: members and the labels they make."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option, echo

from mlipkd.cli.options import Device, Runtime, Threads


def train(
    settings: Annotated[
        list[Path], Option(help="The settings of a member to train. Several train together.")
    ],
    dataset: Annotated[Path, Option(help="The dataset, with teacher labels for a student.")],
    output: Annotated[list[Path], Option(help="The model file to write, one for each member.")],
    history: Annotated[
        list[Path], Option(help="The learning curve to write, one JSON line an epoch.")
    ],
    threads: Threads = 1,
    device: Device = "auto",
    checkpoint_every: Annotated[float, Option(help="Seconds between checkpoints.")] = 10.0,
    runtime: Runtime = None,
) -> None:
    """Train a member of a family, or several together; resume what was interrupted.

    Before its time is over, and on SIGTERM or SIGUSR1, it stops with exit status 75, and the same
    command resumes it: to the same bits on CPUs with as many threads; on GPUs sums may differ in
    their last bits.

    Members that differ by the seed alone may train together, in one pass over the data: give each
    its --settings, --output and --history. Small models then train 1.6 to 2.6 times as fast.

    Example: mlipkd train --settings teachers/seed0/settings.yaml --dataset dataset.h5
    --output teachers/seed0/model.safetensors --history teachers/seed0/history.jsonl
    """
    from mlipkd.config.settings import TrainSettings
    from mlipkd.errors import InputError
    from mlipkd.jobs.device import choose_device
    from mlipkd.jobs.resumable import listen
    from mlipkd.training.loop import TrainingJob
    from mlipkd.training.loop import train as train_members

    if not len(settings) == len(output) == len(history):
        raise InputError(
            "command line: expected a --settings, an --output and a --history for each member, got "
            f"{len(settings)}, {len(output)} and {len(history)}; give as many of each"
        )
    train_members(
        [
            TrainingJob(TrainSettings.read(path), model, lines)
            for path, model, lines in zip(settings, output, history, strict=True)
        ],
        dataset,
        device=choose_device(device, threads),
        checkpoint_every=checkpoint_every,
        stop=listen(runtime),
    )


def transfer(
    model: Annotated[Path, Argument(help="Model file of a member trained on another dataset.")],
    dataset: Annotated[Path, Option(help="The dataset to evaluate it on.")],
    family: Annotated[str, Option(help="The name of its family there.")],
    output: Annotated[Path, Option(help="Model file to write.")],
) -> None:
    """Make a model that was trained on one dataset a member of another, to evaluate it there.

    The weights are the same; its record names both datasets.

    Example: mlipkd transfer --dataset hot.h5 --family of_cold --output transferred.safetensors
    teachers/seed0/model.safetensors
    """
    from mlipkd.datasets.file import DatasetFile
    from mlipkd.hipnn.file import load_potential, save_potential, transferred

    with DatasetFile(dataset) as file:
        save_potential(transferred(load_potential(model), file, family), output)


def predict(
    model: Annotated[Path, Option(help="Model file, or settings of a calculator.")],
    dataset: Annotated[Path, Option(help="Dataset to label.")],
    output: Annotated[Path, Option(help="Predictions to write, HDF5.")],
    hessians: Annotated[bool, Option(help="Predict Hessians, too; of free molecules.")] = False,
    threads: Threads = 1,
    device: Device = "auto",
) -> None:
    """Label a dataset with a member: energies, forces, atomic energies, stress, Hessians.

    Example: mlipkd predict --model teachers/seed0/model.safetensors --dataset dataset.h5 --output
    teachers/seed0/predictions.h5
    """
    from mlipkd.distillation.predict import label
    from mlipkd.jobs.device import choose_device

    label(model, dataset, output, choose_device(device, threads), hessians)


def merge(
    predictions: Annotated[list[Path], Argument(help="Predictions of the members.")],
    dataset: Annotated[Path, Option(help="The dataset that was labelled.")],
    output: Annotated[Path, Option(help="Augmented dataset to write.")],
    manifest: Annotated[Path, Option(help="Manifest of the members to write, JSON.")],
) -> None:
    """Add the mean and spread of members' predictions to a dataset, as a teacher's labels.

    Outliers and members whose labels are not finite are left out; the manifest says which and why.

    Example: mlipkd merge --dataset dataset.h5 --output augmented.h5 --manifest manifest.json
    teachers/seed*/predictions.h5
    """
    from mlipkd.distillation.merge import merge

    for member in merge(dataset, predictions, output, manifest):
        if not member.kept:
            reasons = ", ".join(member.left_out_because)
            echo(f"left out {member.predictions.path}: {reasons}", err=True)
