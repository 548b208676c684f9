"""``mlipkd evaluate-distributions``."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option


def evaluate_distributions(
    trajectories: Annotated[
        list[Path], Argument(help="Frames of the members of a model, or of a reference, HDF5.")
    ],
    settings: Annotated[Path, Option(help="Settings with the section distributions, YAML.")],
    output: Annotated[Path, Option(help="Curves to write, CSV.")],
) -> None:
    """Distributions of distances, angles and clusters of each species in trajectories.

    Example: mlipkd evaluate-distributions --settings distributions.yaml --output reference.csv
    dataset.h5
    """
    from mlipkd.campaign.settings import read_evaluation
    from mlipkd.config.evaluation import DistributionsEvaluation
    from mlipkd.evaluation.core.curves import write_curves
    from mlipkd.evaluation.distributions import evaluate_distributions

    section = read_evaluation(settings, DistributionsEvaluation)
    write_curves(output, *evaluate_distributions(trajectories, section))
