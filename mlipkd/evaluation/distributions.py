"""Distributions of distances, angles and clusters in trajectories, as curves.

After Olowookere et al., arXiv 2510.26650: RDF of pairs, ADF of triplets of species at several
cut-offs, and CDF, the distances at which clusters of a species merge, of the whole trajectory and
of parts of it that follow each other.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple, Self

import numpy as np
from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from mlipkd.config.section import Ascending, Section
from mlipkd.errors import InputError
from mlipkd.evaluation.core.curves import (
    REFERENCE,
    UNITS,
    Curve,
    read_curves,
    stacked,
    write_curves,
)
from mlipkd.evaluation.core.evaluation import Evaluation, Figure, Input, Job, Jobs, Plan
from mlipkd.evaluation.core.rows import ENSEMBLE, Source, made_by
from mlipkd.evaluation.replicas import trajectories_of
from mlipkd.paths import DatasetPaths, ModelPaths

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

    from mlipkd.datasets.file import DatasetFile
    from mlipkd.evaluation.core.axes import Colours, Styles

#: Panels in a line of a figure.
COLUMNS = 3
#: The first window is dark and the last bright, but not so bright that it vanishes.
BRIGHTEST = 0.9

Width = Annotated[float, Field(ge=0.01)]


def _whole(length: float, width: float) -> bool:
    """Whether a length is a whole number of widths, as far as decimal fractions can tell."""
    bins = length / width
    return round(bins) > 0 and abs(bins - round(bins)) < 1e-6


class RadialDistributions(Section):
    """RDF: g(r) of every pair of species."""

    cutoff: PositiveFloat = 15.0
    """How far it reaches, Å; at most half of the box, and a whole number of bins."""
    bin: Width = 0.1
    """Width of the bins, Å."""

    @model_validator(mode="after")
    def _bins_fit(self) -> Self:
        if not _whole(self.cutoff, self.bin):
            raise ValueError(
                f"expected a cutoff that is a whole number of bins, got {self.cutoff:g} Å with "
                f"bins of {self.bin:g} Å; change one of them"
            )
        return self


class AngularDistributions(Section):
    """ADF: the angles at which two neighbours are seen, of every triplet of species."""

    cutoffs: Annotated[tuple[PositiveFloat, ...], Field(min_length=1), Ascending]
    """How far neighbours are at most, Å, ascending; there is an ADF for each cut-off."""
    bin: Annotated[float, Field(ge=0.1)] = 1.0
    """Width of the bins, degrees; 180° are a whole number of them."""

    @model_validator(mode="after")
    def _bins_fit(self) -> Self:
        if not _whole(180, self.bin):
            raise ValueError(
                f"expected bins of which 180° are a whole number, got {self.bin:g}°; change bin"
            )
        return self


class ClusterDistributions(Section):
    """CDF: the distances at which clusters of each species merge, by single linkage."""

    bin: Width = 0.1
    """Width of the bins, Å."""
    windows: PositiveInt = 5
    """Into how many parts the trajectory is cut, each with a CDF next to that of the whole."""


class DistributionsEvaluation(Section):
    """Distributions of a liquid, next to those of the reference."""

    rdf: RadialDistributions = RadialDistributions()
    """g(r) of every pair of species."""
    adf: AngularDistributions
    """Angles of every triplet of species."""
    cdf: ClusterDistributions = ClusterDistributions()
    """Merge distances of every species."""


def run(job: Job) -> None:
    """Distributions of distances, angles and clusters of each species in trajectories.

    Example: mlipkd evaluate distributions --settings distributions.yaml --output reference.csv
    dataset.h5
    """
    write_curves(job.output, *evaluate_distributions(job.files["trajectories"], job.section))


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
            half of the box, or a trajectory has fewer frames than windows.
    """
    from mlipkd.datasets.file import DatasetFile

    curves: list[Curve] = []
    sources: list[Source] = []
    notes: list[str] = []
    replicas: Counter[tuple] = Counter()
    for path in paths:
        with DatasetFile(path) as trajectory:
            record = trajectory.provenance
            by = record.get("sampled_by")
            family, model, seed = (by["family"], by["model"], by["seed"]) if by else REFERENCE
            who = trajectory.name, family, model, seed
            versions = {made_by(history) for history in (record, by) if history}
            sources.append(Source(str(path), trajectory.sha256, sorted(versions)))
            if record.get("failed"):
                notes.append(
                    f"{family}/{model} seed {seed}: no distributions, its run failed in the "
                    f"{record['failed']}"
                )
                continue
            halves = np.arange(len(trajectory)) * 2 // len(trajectory)  # (frames,)
            runs = trajectory.groups if by else halves
            for run in np.unique(runs):
                frames = np.flatnonzero(runs == run)
                for distribution, width, values in _distributions(trajectory, frames, settings):
                    bin_unit, unit = UNITS[distribution.kind]
                    curves.append(
                        Curve(*who, replicas[who], *distribution, unit, width, bin_unit, values)
                    )
                replicas[who] += 1
    return curves, sources, notes


class _Distribution(NamedTuple):
    """As in ``Curve``."""

    kind: str
    species: str
    cutoff: float | None = None
    window: int | None = None


def _distributions(
    trajectory: "DatasetFile", frames: np.ndarray, settings: DistributionsEvaluation
) -> Iterator[tuple[_Distribution, float, np.ndarray]]:
    """Each distribution of one replica, with the width of its bins and its values."""
    from mlipkd.datasets.dataset import species_name
    from mlipkd.dynamics.distributions import (
        angular_distributions,
        cluster_distributions,
        frames_of,
        radial_distributions,
    )

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
        yield _Distribution("rdf", f"{names[a]}-{names[b]}"), rdf.bin, g
    triplets = angular_distributions(
        frames_of(trajectory, frames, adf.cutoffs[-1]), adf.cutoffs, adf.bin
    )
    for ((a, middle, b), cutoff), density in triplets.items():
        species = f"{names[a]}-{names[middle]}-{names[b]}"
        yield _Distribution("adf", species, cutoff), adf.bin, density
    clusters = cluster_distributions(frames_of(trajectory, frames, 0), cdf.bin, cdf.windows)
    for a, (whole, *windows) in clusters.items():
        yield _Distribution("cdf", names[a]), cdf.bin, whole
        for number, density in enumerate(windows, start=1):
            yield _Distribution("cdf", names[a], window=number), cdf.bin, density


def draw_pairs(curves: Sequence[Curve], colours: "Colours") -> "Drawing":
    """g(r), a panel for each pair.

    Raises:
        InputError: there is none.
    """
    return _small_multiples(_of_kind(curves, "rdf"), colours, "r, Å", "g(r)")


def draw_adf(curves: Sequence[Curve], colours: "Colours") -> "Drawing":
    """Densities of angles at the largest cut-off, a panel for each triplet, named by a neighbour,
    the one in the middle and the other neighbour.

    Raises:
        InputError: there is none.
    """
    angular = _of_kind(curves, "adf")
    cutoff = max(curve.cutoff for curve in angular if curve.cutoff is not None)
    widest = [curve for curve in angular if curve.cutoff == cutoff]
    return _small_multiples(widest, colours, "θ, degrees", f"p(θ), 1/degree (within {cutoff:g} Å)")


def draw_cdf(curves: Sequence[Curve], colours: "Colours") -> "Drawing":
    """Densities of merge distances, a column for each species.

    Above, of whole trajectories; below, a row of panels for each line above with its windows: where
    clusters grow, the peak shrinks and distances get longer from dark to bright.

    Raises:
        InputError: there is none.
    """
    from matplotlib import colormaps

    from mlipkd.evaluation.core.axes import panels_of, styles_of

    curves = _of_kind(curves, "cdf")
    species = list(dict.fromkeys(curve.species for curve in curves))
    styles = styles_of(_lines_of(curves), colours)
    figure, panels = panels_of(1 + len(styles), len(species))
    for column, name in zip(panels.T, species, strict=True):
        of_species = [curve for curve in curves if curve.species == name]
        _draw_lines(column[0], [c for c in of_species if c.window is None], styles)
        column[0].set_title(name)
        for axes, (line, style) in zip(column[1:], styles.items(), strict=True):
            of_line = [curve for curve in of_species if _line_of(curve) == line]
            windows = sorted({curve.window for curve in of_line if curve.window is not None})
            for place, window in enumerate(windows):
                colour = colormaps["viridis"](BRIGHTEST * place / max(1, len(windows) - 1))
                of_window = [curve for curve in of_line if curve.window == window]
                _draw_lines(axes, of_window, {line: {"color": colour}})
            axes.sharex(column[0])
            axes.sharey(column[0])
            axes.set_title(f"{style['label']}, windows", fontsize="small")
        column[-1].set_xlabel("merge distance, Å")
    for axes in panels[:, 0]:
        axes.set_ylabel("p(d), 1/Å")
    _legend(figure, styles)
    return figure


def _of_kind(curves: Sequence[Curve], kind: str) -> list[Curve]:
    """The curves of one kind."""
    of_kind = [curve for curve in curves if curve.kind == kind]
    if not of_kind:
        raise InputError(
            f"expected curves of {kind}, got none: all runs failed; look into the notes of the "
            "evaluation distributions, and train longer"
        )
    return of_kind


def _small_multiples(
    curves: Sequence[Curve], colours: "Colours", abscissa: str, ordinate: str
) -> "Drawing":
    """A panel for each distribution; lines are means over replicas and members, in bands of their
    standard deviations. The ensemble has separate lines, and the reference is black."""
    from mlipkd.evaluation.core.axes import panels_of, styles_of

    species = list(dict.fromkeys(curve.species for curve in curves))
    figure, panels = panels_of(-(-len(species) // COLUMNS), COLUMNS)
    styles = styles_of(_lines_of(curves), colours)
    for axes, name in zip(panels.flat, species, strict=False):
        _draw_lines(axes, [curve for curve in curves if curve.species == name], styles)
        axes.set_title(name)
    for axes in panels.flat[len(species) :]:
        axes.remove()
    for axes in panels[:, 0]:
        axes.set_ylabel(ordinate)
    for axes in chain(panels[-1], panels[-2] if len(panels) > 1 else ()):
        axes.set_xlabel(abscissa)
    _legend(figure, styles)
    return figure


def _line_of(curve: Curve) -> tuple[str, str]:
    """Family and model of the line that a curve is part of: what the ensemble of a model's members
    sampled is drawn apart from what they sampled, as if by a separate model."""
    together = curve.seed == ENSEMBLE
    return curve.family, f"{curve.model} {ENSEMBLE}" if together else curve.model


def _lines_of(curves: Sequence[Curve]) -> list[tuple[str, str]]:
    """All lines in the table's order; the reference is last and lies over the others."""
    lines = dict.fromkeys(map(_line_of, curves))
    return sorted(lines, key=lambda line: line == REFERENCE[:2])


def _draw_lines(axes: "Axes", curves: Sequence[Curve], styles: "Styles") -> None:
    """The lines of one distribution."""
    from mlipkd.evaluation.core.axes import band

    for line, style in styles.items():
        of_line = [curve for curve in curves if _line_of(curve) == line]
        if of_line:
            values = stacked(of_line)  # (replicas, bins)
            band(axes, (np.arange(values.shape[1]) + 0.5) * of_line[0].bin, values, **style)
    axes.set_ylim(bottom=0)


def _legend(figure: "Drawing", styles: "Styles") -> None:
    """Who has which line, above all panels."""
    from matplotlib.lines import Line2D

    figure.legend(
        handles=[Line2D([], [], **style) for style in styles.values()],
        loc="outside upper center",
        ncols=COLUMNS,
        frameon=False,
    )


def _trajectories(plan: Plan, about: DatasetPaths | ModelPaths) -> list[str]:
    """The replicas of a model; the dataset, if it is about the reference."""
    return trajectories_of(plan, about) if isinstance(about, ModelPaths) else [about.data]


def _all_curves(plan: Plan, dataset: DatasetPaths) -> list[str]:
    """Those of the reference and of all models of a dataset."""
    models = [model for model in plan.potentials if model.dataset == dataset.dataset]
    return [about.rows("distributions") for about in (dataset, *models)]


DISTRIBUTIONS = Evaluation(
    name="distributions",
    title="Distributions in the liquid",
    run=run,
    jobs=[
        Jobs(DatasetPaths(), lambda plan: plan.datasets, rule="reference_distributions"),
        Jobs(ModelPaths(), lambda plan: plan.potentials),
    ],
    inputs=[
        Input(
            "trajectories",
            _trajectories,
            "Frames of the members of a model, or of a reference, HDF5.",
            several=True,
        )
    ],
    section=DistributionsEvaluation,
    table=False,
    megabytes=4000,
    minutes=240,
    figures=[
        Figure(
            "pairs",
            title="Radial distribution functions of pairs",
            caption="Radial distribution functions g(r) of each pair of species. Lines are means "
            "over the trajectories of all members, bands their standard deviations; trajectories "
            "that an ensemble's mean forces drove have a line of their own, and the reference is "
            "black.",
            draw=draw_pairs,
            files=_all_curves,
            read=read_curves,
        ),
        Figure(
            "adf",
            title="Angular distribution functions",
            caption="Distributions of the angle that two neighbours make at a third, at the "
            "largest cut-off; titles name a neighbour, the one in the middle and the other "
            "neighbour. Lines are means over the trajectories of all members, bands their standard "
            "deviations; trajectories that an ensemble's mean forces drove have a line of their "
            "own, and the reference is black.",
            draw=draw_adf,
            files=_all_curves,
            read=read_curves,
        ),
        Figure(
            "cdf",
            title="Clusters",
            caption="Distances at which the clusters of each species merge by single linkage. "
            "Above, over whole trajectories: lines are means over those of all members, bands "
            "their standard deviations, trajectories that an ensemble's mean forces drove have a "
            "line of their own, and the reference is black. Below, windows of the trajectories of "
            "each line from dark to bright: where clusters grow, the peak shrinks and distances "
            "get longer.",
            draw=draw_cdf,
            files=_all_curves,
            read=read_curves,
        ),
    ],
)
