"""The radial distribution function g(r) of the liquid of an element, as rows."""

import numpy as np

from mlipkd.config.evaluation import RdfEvaluation
from mlipkd.datasets.file import DatasetFile
from mlipkd.dynamics.distributions import frames_of, radial_distributions
from mlipkd.errors import InputError
from mlipkd.evaluation.core.rows import UNITS, Row, Source, made_by


def radial_distribution(trajectory: DatasetFile, cutoff: float, width: float) -> dict[float, float]:
    """g(r) by the middle of each bin, Å, over all frames of one species.

    Args:
        trajectory: frames of one system.
        cutoff: how far it reaches, Å.
        width: of the bins, Å, which are made to fit.

    Raises:
        InputError: the cut-off is more than half of the box, from where atoms meet their images.
    """
    bins = round(cutoff / width)
    frames = frames_of(trajectory, range(len(trajectory)), cutoff)
    (g,) = radial_distributions(frames, cutoff, cutoff / bins).values()
    edges = np.linspace(0, cutoff, bins + 1)  # (bins + 1,)
    middles = (edges[1:] + edges[:-1]) / 2  # (bins,)
    return dict(zip(middles.tolist(), g.tolist(), strict=True))


def evaluate_rdf(
    trajectory: DatasetFile, settings: RdfEvaluation
) -> tuple[list[Row], list[str], Source]:
    """g(r) of frames that ``evaluate_liquid`` made, as rows ``g<r>``; of a failed run, a note.

    Raises:
        InputError: the file is another dataset, or the cut-off more than half of the box.
    """
    told = trajectory.provenance
    if "sampled_by" not in told:
        raise InputError(
            f"{trajectory.path}: expected frames of a liquid, got another dataset; give a liquid.h5"
        )
    by = told["sampled_by"]
    source = Source(str(trajectory.path), trajectory.sha256, sorted({made_by(told), made_by(by)}))
    if told["failed"]:
        name = f"{by['family']}/{by['model']} seed {by['seed']}"
        return [], [f"{name}: no g(r), its run failed in the {told['failed']}"], source
    found = radial_distribution(trajectory, settings.cutoff, settings.bin)
    who = trajectory.name, by["family"], by["model"], by["seed"]
    return [Row(*who, f"g{r:.3f}", g, UNITS["rdf"]["g"]) for r, g in found.items()], [], source
