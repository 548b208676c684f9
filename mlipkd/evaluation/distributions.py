"""Distributions of distances, angles and clusters in trajectories, as curves.

After Olowookere et al., arXiv 2510.26650: RDF of pairs, ADF of triplets of species at several
cut-offs, and CDF, the distances at which clusters of a species merge, of the whole trajectory and
of parts of it that follow each other.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from mlipkd.config.evaluation import DistributionsEvaluation
from mlipkd.datasets.dataset import species_name
from mlipkd.datasets.file import DatasetFile
from mlipkd.dynamics.distributions import (
    angular_distributions,
    cluster_distributions,
    frames_of,
    radial_distributions,
)
from mlipkd.errors import InputError
from mlipkd.evaluation.core.curves import REFERENCE, UNITS, WINDOW, Curve
from mlipkd.evaluation.core.rows import Source, made_by


def evaluate_distributions(
    paths: Iterable[Path], settings: DistributionsEvaluation
) -> tuple[list[Curve], list[Source], list[str]]:
    """Curves of datasets of frames, made by members or a reference; of a failed run, a note.

    Each group of a member's frames is a replica, and replicas are counted in the order given, in
    one file or several. A reference's file is one trajectory, of which each half counts as a
    replica: how far a half is from the mean of both tells how far that mean may be from the truth.
    All its frames count, of whatever split: none of its distributions is learned from, and the more
    frames, the less noise is taken for a deviation.

    Raises:
        InputError: a file is no dataset of frames of one periodic system, a cut-off is more than
            half of the box, or a trajectory has fewer frames than windows are wanted.
    """
    curves: list[Curve] = []
    sources: list[Source] = []
    notes: list[str] = []
    replicas: Counter[tuple] = Counter()
    for path in paths:
        with DatasetFile(path) as trajectory:
            told = trajectory.provenance
            by = told.get("sampled_by")
            family, model, seed = (by["family"], by["model"], by["seed"]) if by else REFERENCE
            who = trajectory.name, family, model, seed
            makers = {made_by(record) for record in (told, by) if record}
            sources.append(Source(str(path), trajectory.sha256, sorted(makers)))
            if told.get("failed"):
                notes.append(
                    f"{family}/{model} seed {seed}: no distributions, its run failed in the "
                    f"{told['failed']}"
                )
                continue
            halves = np.arange(len(trajectory)) * 2 // len(trajectory)  # (frames,)
            runs = trajectory.groups if by else halves
            for run in np.unique(runs):
                frames = np.flatnonzero(runs == run)
                for name, width, values in _distributions(trajectory, frames, settings):
                    bin_unit, unit = UNITS[name.partition("/")[0]]
                    curves.append(Curve(*who, replicas[who], name, unit, width, bin_unit, values))
                replicas[who] += 1
    return curves, sources, notes


def _distributions(
    trajectory: DatasetFile, frames: np.ndarray, settings: DistributionsEvaluation
) -> Iterator[tuple[str, float, np.ndarray]]:
    """Name, width of the bins and values of each distribution of one replica."""
    rdf, adf, cdf = settings.rdf, settings.adf, settings.cdf
    if len(frames) < cdf.windows:
        raise InputError(
            f"{trajectory.path}: expected at least a frame for each of {cdf.windows} windows, got "
            f"{len(frames)} frames in a trajectory; lower cdf.windows, or take more frames"
        )
    names = {
        species: species_name(species, trajectory.beads) for species in trajectory.species_present
    }
    pairs = radial_distributions(frames_of(trajectory, frames, rdf.cutoff), rdf.cutoff, rdf.bin)
    for (a, b), g in pairs.items():
        yield f"rdf/{names[a]}-{names[b]}", rdf.bin, g
    triplets = angular_distributions(
        frames_of(trajectory, frames, adf.cutoffs[-1]), adf.cutoffs, adf.bin
    )
    for ((a, middle, b), cutoff), density in triplets.items():
        yield f"adf/{names[a]}-{names[middle]}-{names[b]}/{cutoff:g}", adf.bin, density
    clusters = cluster_distributions(frames_of(trajectory, frames, 0), cdf.bin, cdf.windows)
    for a, (whole, *windows) in clusters.items():
        yield f"cdf/{names[a]}", cdf.bin, whole
        for number, density in enumerate(windows, start=1):
            yield f"cdf/{names[a]}/{WINDOW}{number}", cdf.bin, density
