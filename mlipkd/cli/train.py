"""``mlipkd train``: one member of a family."""

from pathlib import Path
from typing import Annotated

from typer import Option


def train(
    settings: Annotated[Path, Option(help="What to train: a settings file.")],
    dataset: Annotated[Path, Option(help="The dataset, with teacher labels for a student.")],
    output: Annotated[Path, Option(help="The model file to write.")],
    history: Annotated[Path, Option(help="The learning curve to write, one JSON line an epoch.")],
    threads: Annotated[
        int, Option(help="CPU threads; results are the same bits for the same number.")
    ] = 1,
    device: Annotated[str, Option(help="cpu, cuda, or auto: CUDA where there is one.")] = "auto",
    checkpoint_every: Annotated[float, Option(help="Seconds between checkpoints.")] = 10.0,
) -> None:
    """Train one member of a family; resume if it was interrupted.

    Example: mlipkd train --settings settings.yaml --dataset dataset.h5
    --output model.safetensors --history history.jsonl
    """
    from mlipkd.config.settings import TrainSettings
    from mlipkd.device import choose_device
    from mlipkd.training.loop import train as train_member

    train_member(
        TrainSettings.read(settings),
        dataset,
        output,
        history,
        device=choose_device(device, threads),
        checkpoint_every=checkpoint_every,
    )
