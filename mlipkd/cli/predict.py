"""``mlipkd predict``."""

from pathlib import Path
from typing import Annotated

from typer import Option

from mlipkd.cli.options import Device, Threads


def predict(
    model: Annotated[Path, Option(help="Model file, or settings of a calculator.")],
    dataset: Annotated[Path, Option(help="Dataset to label.")],
    output: Annotated[Path, Option(help="Predictions to write, HDF5.")],
    hessians: Annotated[bool, Option(help="Label with Hessians, too; of free molecules.")] = False,
    threads: Threads = 1,
    device: Device = "auto",
) -> None:
    """Let a member label its dataset: energy, forces, atomic energies, stress and, if asked,
    Hessians.

    Example: mlipkd predict --model teachers/seed0/model.safetensors --dataset dataset.h5 --output
    teachers/seed0/predictions.h5
    """
    from mlipkd.device import choose_device
    from mlipkd.distillation.predict import label

    label(model, dataset, output, choose_device(device, threads), hessians)
