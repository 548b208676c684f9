"""``mlipkd merge``."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option, echo


def merge(
    predictions: Annotated[list[Path], Argument(help="Predictions of the members.")],
    dataset: Annotated[Path, Option(help="Dataset that they are predictions of.")],
    output: Annotated[Path, Option(help="Augmented dataset to write.")],
    manifest: Annotated[Path, Option(help="Manifest of the members to write, JSON.")],
) -> None:
    """Make members' predictions the teacher's labels of their dataset: mean and spread.

    Outliers and members whose labels are not finite are left out; the manifest says who and why.

    Example: mlipkd merge --dataset dataset.h5 --output augmented.h5 --manifest manifest.json
    teachers/seed*/predictions.h5
    """
    from mlipkd.distillation.merge import merge

    for member in merge(dataset, predictions, output, manifest):
        if not member.kept:
            reasons = ", ".join(member.left_out_because)
            echo(f"left out {member.predictions.path}: {reasons}", err=True)
