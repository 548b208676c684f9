"""Curvature: harmonic frequencies at stationary points, and errors near them and far from them.

Frequencies are those of the Hessians of reference and member at one and the same positions, where
the member's forces need not be 0; translation and rotation are projected out of both. Modes are
compared in ascending order, imaginary frequencies being negative numbers. A stationary point is a
minimum or a saddle by the imaginary modes of the reference.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

import numpy as np
from pydantic import PositiveFloat

from mlipkd.config.section import Section
from mlipkd.errors import InputError
from mlipkd.evaluation.core.evaluation import DATASET, MODELS, Evaluation, Figure, Job, Jobs
from mlipkd.evaluation.core.rows import Row, rmse_and_mae, write_rows
from mlipkd.jobs.progress import progress
from mlipkd.paths import ModelPaths

if TYPE_CHECKING:
    import matplotlib.figure

    from mlipkd.datasets.dataset import Dataset
    from mlipkd.datasets.file import DatasetFile
    from mlipkd.evaluation.core.axes import Colours
    from mlipkd.evaluation.core.ensembles import Ensemble

#: Imaginary frequencies below this are noise of soft modes, 1/cm.
SOFTEST = 50.0
MINIMA, SADDLES = "minima", "saddles"
#: The same, of configurations outside the test split.
TRAINED = {MINIMA: "trained minima", SADDLES: "trained saddles"}
ACROSS = 4  # panels in a line

METRICS = {
    **rmse_and_mae(
        energy="eV", energy_per_atom="eV/atom", forces="eV/Å", hessian="eV/Å^2", frequencies="1/cm"
    ),
    "imaginary_right": "1",
}


class CurvatureEvaluation(Section):
    """Errors on each kind of configurations, and harmonic frequencies at stationary points.

    Of the test split; the frequencies of all others under a separate name. The dataset has
    reference Hessians."""

    stationary: PositiveFloat = 0.05
    """Configurations on whose atoms no reference force is larger are stationary points, eV/Å."""


def run(job: Job) -> None:
    """Harmonic frequencies at stationary points, and errors on each kind of configurations.

    Example: mlipkd evaluate curvature --settings curvature.yaml --dataset hessians.h5
    --output curvature.csv molecules/seed*/model.safetensors
    """
    from mlipkd.datasets.file import DatasetFile
    from mlipkd.evaluation.core.ensembles import dataset_source, load_ensembles, notes_of
    from mlipkd.jobs.device import choose_device

    ensembles, sources = load_ensembles(job.files["models"], choose_device(job.device, job.threads))
    with DatasetFile(job.file("dataset")) as dataset:
        rows = evaluate_curvature(dataset, ensembles, job.section.stationary)
        sources.append(dataset_source(dataset))
    write_rows(job.output, rows, sources, notes_of(ensembles))


def evaluate_curvature(
    dataset: "DatasetFile", ensembles: "Sequence[Ensemble]", stationary: float
) -> list[Row]:
    """RMSE and MAE for each kind of configurations in the test split, if kinds are told apart.

    And of frequencies at minima and saddles, with the share of these whose number of imaginary
    modes is the reference's: those of the test split, and as ``trained minima`` and ``trained
    saddles`` all others.

    Args:
        dataset: with reference Hessians.
        ensembles: whose predictions to compare.
        stationary: largest reference force on an atom of a stationary point, eV/Å.

    Raises:
        InputError: the dataset has no reference Hessians or no stationary points, the test split is
            empty, or a member belongs to another dataset.
    """
    from mlipkd.datasets.file import kinds_of
    from mlipkd.evaluation.core.error_sums import error_rows, error_sums, whole_test_split

    test = whole_test_split(dataset, ensembles)
    if not {"hessian", "forces"} <= set(dataset.labels["reference"]):
        raise InputError(
            f"{dataset.path}: expected reference Hessians and forces to evaluate curvature with, "
            f"got {', '.join(dataset.labels['reference'])}; leave curvature out of its evaluations"
        )
    kinds = kinds_of(dataset)[test]  # (test configurations,)
    rows = [
        row
        for kind in dict.fromkeys(kinds.tolist())
        if kind
        for (number, seed, quantity), errors in error_sums(
            dataset, test[kinds == kind], ensembles
        ).items()
        for row in error_rows(ensembles[number], seed, quantity, errors, METRICS, kind)
    ]
    return rows + _frequency_rows(dataset, ensembles, stationary)


def _frequency_rows(
    dataset: "DatasetFile", ensembles: "Sequence[Ensemble]", stationary: float
) -> list[Row]:
    from mlipkd.datasets.dataset import TEST, memory_batches
    from mlipkd.evaluation.core.error_sums import ErrorSum, error_rows

    sums: dict[tuple[int, int | str, str], ErrorSum] = defaultdict(ErrorSum)
    right: dict[tuple[int, int | str, str], list[bool]] = defaultdict(list)
    points = _stationary_points(dataset, stationary)
    cuts = memory_batches(dataset.sizes[points])
    for batch in progress(cuts, len(cuts), "batches of stationary points"):
        configurations = dataset.read(points[batch])
        references = list(
            _frequencies(configurations, configurations.labels["reference"]["hessian"])
        )
        for number, ensemble in enumerate(ensembles):
            for seed, predicted in ensemble.predictions(configurations, ["hessian"]):
                if "hessian" not in predicted:  # of a calculator without forces
                    continue
                predictions = _frequencies(configurations, predicted["hessian"])
                for split, reference, prediction in zip(
                    configurations.splits, references, predictions, strict=True
                ):
                    if reference is None or prediction is None:
                        continue
                    kind = SADDLES if _imaginary(reference) else MINIMA
                    key = number, seed, kind if split == TEST else TRAINED[kind]
                    sums[key].add(prediction - reference)
                    right[key].append(_imaginary(prediction) == _imaginary(reference))
    rows = []
    for key in sorted(sums, key=lambda key: key[2]):
        number, seed, subset = key
        ensemble, share = ensembles[number], float(np.mean(right[key]))
        rows += error_rows(ensemble, seed, "frequencies", sums[key], METRICS, subset)
        rows.append(
            ensemble.row(seed, "imaginary_right", share, METRICS["imaginary_right"], subset)
        )
    return rows


def _stationary_points(dataset: "DatasetFile", stationary: float) -> np.ndarray:
    """Configurations with a Hessian whose reference forces are small: (points,)."""
    from mlipkd.datasets.dataset import memory_batches, row_offsets

    numbers: list[int] = []
    for batch in memory_batches(dataset.sizes):
        configurations = dataset.read(np.arange(batch.start, batch.stop))
        reference = configurations.labels["reference"]
        calm = np.linalg.norm(reference["forces"], axis=1) <= stationary  # (atoms,)
        known = np.isfinite(reference["hessian"]).all((1, 2))  # (pairs of atoms,)
        rows = row_offsets("hessian", configurations.offsets)
        points = np.logical_and.reduceat(calm, configurations.offsets[:-1])
        points &= np.logical_and.reduceat(known, rows[:-1])
        numbers += (batch.start + np.flatnonzero(points & (configurations.sizes > 1))).tolist()
    if not numbers:
        raise InputError(
            f"{dataset.path}: expected stationary points, where no force exceeds {stationary:g} "
            "eV/Å, found none; raise curvature.stationary or leave curvature out"
        )
    return np.array(numbers)


def _frequencies(dataset: "Dataset", blocks: np.ndarray) -> Iterator[np.ndarray | None]:
    """Frequencies of each configuration, 1/cm: (modes,); none of what has no Hessian."""
    from mlipkd.datasets.dataset import row_offsets, species_masses
    from mlipkd.datasets.normal_modes import hessian_matrix, normal_modes, wavenumbers

    rows = row_offsets("hessian", dataset.offsets)
    masses = species_masses(dataset.species, dataset.beads)  # (atoms,)
    for m in range(len(dataset)):
        atoms = slice(*dataset.offsets[m : m + 2])
        hessian = hessian_matrix(blocks[rows[m] : rows[m + 1]])
        if np.isnan(hessian).any():
            yield None
            continue
        eigenvalues, _ = normal_modes(hessian, dataset.positions[atoms], masses[atoms])
        yield wavenumbers(eigenvalues)


def _imaginary(frequencies: np.ndarray) -> int:
    """How many frequencies are imaginary."""
    return int((frequencies < -SOFTEST).sum())


def draw(rows: Sequence[Row], colours: "Colours") -> "matplotlib.figure.Figure":
    """Errors of Hessians on each kind of configurations, and of frequencies on the test split."""
    from mlipkd.evaluation.core.axes import name_of
    from mlipkd.evaluation.core.bars import Panel, side_by_side

    subsets = {
        (row.subset, row.metric): None
        for row in rows
        if row.metric == "hessian_rmse"
        or (row.metric == "frequencies_mae" and row.subset in (MINIMA, SADDLES))
    }
    panels = []
    for subset, metric in subsets:
        of_subset = [row for row in rows if row.subset == subset]
        panels.append(Panel(of_subset, metric, subset, name_of(of_subset, metric)))
    across = min(len(panels), ACROSS)
    return side_by_side(rows, colours, list(zip_longest(*[iter(panels)] * across)))


CURVATURE = Evaluation(
    name="curvature",
    title="Curvature",
    run=run,
    jobs=[Jobs(ModelPaths(), lambda plan: plan.models)],
    inputs=[DATASET, MODELS],
    section=CurvatureEvaluation,
    threads=4,
    device=True,
    work="errors",
    figures=[
        Figure(
            "curvature",
            title="Errors of curvature",
            caption="Errors of the curvature of the potential energy: of Hessians, on each kind of "
            "configurations, and of harmonic frequencies at stationary points of the test split. A "
            "dot is a member, a bar the mean over members, and a diamond the ensemble.",
            draw=draw,
        )
    ],
)
