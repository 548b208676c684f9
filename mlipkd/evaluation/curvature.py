"""Curvature: harmonic frequencies at stationary points, and errors near them and far from them.

Frequencies are those of the Hessians of reference and member at one and the same positions, where
the member's forces need not be 0; translation and rotation are projected out of both. Modes are
compared in ascending order, imaginary frequencies being negative numbers. A stationary point is a
minimum or a saddle by the imaginary modes of the reference.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from mlipkd.datasets.dataset import TEST, Dataset, row_offsets, slabs, species_masses
from mlipkd.datasets.file import DatasetFile, kinds_of
from mlipkd.datasets.normal_modes import normal_modes, square, wavenumbers
from mlipkd.errors import InputError
from mlipkd.evaluation.core.ensembles import Ensemble
from mlipkd.evaluation.core.error_sums import ErrorSum
from mlipkd.evaluation.core.rows import UNITS, Row
from mlipkd.evaluation.errors import error_sums, whole_test_split
from mlipkd.jobs.progress import progress

#: Imaginary frequencies below this are noise of soft modes, 1/cm.
SOFTEST = 50.0
MINIMA, SADDLES, TRAINED = "minima", "saddles", "trained/"


def evaluate_curvature(
    dataset: DatasetFile, ensembles: Sequence[Ensemble], stationary: float
) -> list[Row]:
    """RMSE and MAE for each kind of configurations in the test split, if kinds are told apart.

    And of frequencies at minima and saddles, with the share of these whose number of imaginary
    modes is the reference's: those of the test split, and as ``trained/…`` all others.

    Args:
        dataset: with reference Hessians.
        ensembles: whom to ask.
        stationary: largest reference force on an atom of a stationary point, eV/Å.

    Raises:
        InputError: the dataset has no reference Hessians or no stationary points, the test split is
            empty, or a member belongs to another dataset.
    """
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
        for (number, seed, subject), errors in error_sums(
            dataset, test[kinds == kind], ensembles
        ).items()
        for row in ensembles[number].rows("curvature", seed, f"{kind}/{subject}", errors)
    ]
    return rows + _of_frequencies(dataset, ensembles, stationary)


def _of_frequencies(
    dataset: DatasetFile, ensembles: Sequence[Ensemble], stationary: float
) -> list[Row]:
    sums: dict[tuple[int, int | str, str], ErrorSum] = defaultdict(ErrorSum)
    right: dict[tuple[int, int | str, str], list[bool]] = defaultdict(list)
    points = _stationary_points(dataset, stationary)
    cuts = slabs(dataset.sizes[points])
    for slab in progress(cuts, len(cuts), "slabs of stationary points"):
        configurations = dataset.read(points[slab])
        wanted = list(_frequencies(configurations, configurations.labels["reference"]["hessian"]))
        for number, ensemble in enumerate(ensembles):
            for seed, predicted in ensemble.predictions(configurations, ["hessian"]):
                if "hessian" not in predicted:  # of a calculator without forces
                    continue
                found = _frequencies(configurations, predicted["hessian"])
                for split, own, theirs in zip(configurations.splits, wanted, found, strict=True):
                    if own is None or theirs is None:
                        continue
                    part = SADDLES if _imaginary(own) else MINIMA
                    key = number, seed, part if split == TEST else TRAINED + part
                    sums[key].add(theirs - own)
                    right[key].append(_imaginary(theirs) == _imaginary(own))
    rows = []
    for (number, seed, part), errors in sorted(sums.items(), key=lambda item: item[0][2]):
        ensemble = ensembles[number]
        rows += ensemble.rows("curvature", seed, f"{part}/frequencies", errors)
        rows.append(
            Row(
                ensemble.dataset, ensemble.family, ensemble.model, seed, f"{part}/imaginary_right",
                float(np.mean(right[number, seed, part])), UNITS["curvature"]["imaginary_right"],
            )
        )  # fmt: skip
    return rows


def _stationary_points(dataset: DatasetFile, stationary: float) -> np.ndarray:
    """Configurations with a Hessian whose reference forces are small: (points,)."""
    found: list[int] = []
    for slab in slabs(dataset.sizes):
        configurations = dataset.read(np.arange(slab.start, slab.stop))
        reference = configurations.labels["reference"]
        calm = np.linalg.norm(reference["forces"], axis=1) <= stationary  # (atoms,)
        known = np.isfinite(reference["hessian"]).all((1, 2))  # (pairs of atoms,)
        rows = row_offsets("hessian", configurations.offsets)
        points = np.logical_and.reduceat(calm, configurations.offsets[:-1])
        points &= np.logical_and.reduceat(known, rows[:-1])
        found += (slab.start + np.flatnonzero(points & (configurations.sizes > 1))).tolist()
    if not found:
        raise InputError(
            f"{dataset.path}: expected stationary points, where no force exceeds {stationary:g} "
            "eV/Å, found none; raise curvature.stationary or leave curvature out"
        )
    return np.array(found)


def _frequencies(dataset: Dataset, blocks: np.ndarray) -> Iterator[np.ndarray | None]:
    """Frequencies of each configuration, 1/cm: (modes,); none of what has no Hessian."""
    rows = row_offsets("hessian", dataset.offsets)
    masses = species_masses(dataset.species, dataset.beads)  # (atoms,)
    for m in range(len(dataset)):
        atoms = slice(*dataset.offsets[m : m + 2])
        hessian = square(blocks[rows[m] : rows[m + 1]])
        if np.isnan(hessian).any():
            yield None
            continue
        eigenvalues, _ = normal_modes(hessian, dataset.positions[atoms], masses[atoms])
        yield wavenumbers(eigenvalues)


def _imaginary(frequencies: np.ndarray) -> int:
    """How many frequencies are imaginary."""
    return int((frequencies < -SOFTEST).sum())
