"""``mlipkd transfer``."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option


def transfer(
    model: Annotated[Path, Argument(help="Model file of a member trained on another dataset.")],
    dataset: Annotated[Path, Option(help="The dataset that it is to be asked about.")],
    family: Annotated[str, Option(help="What its family is called there.")],
    output: Annotated[Path, Option(help="Model file to write.")],
) -> None:
    """Bring a model that was trained on one dataset to another, to see what of it transfers.

    The weights are the same; its record tells both datasets.

    Example: mlipkd transfer --dataset hot.h5 --family of_cold --output transferred.safetensors
    teachers/seed0/model.safetensors
    """
    from mlipkd.datasets.file import DatasetFile
    from mlipkd.hipnn.file import load_potential, save_potential
    from mlipkd.hipnn.transfer import transferred

    with DatasetFile(dataset) as file:
        save_potential(transferred(load_potential(model), file, family), output)
