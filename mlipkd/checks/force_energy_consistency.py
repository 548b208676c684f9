"""Force-energy consistency: whether forces are the slope of the energies, in sign and unit.

For two nearby configurations of the same atoms the trapezoidal rule gives

    E_2 - E_1 = -½ (F_1 + F_2) · (R_2 - R_1) + O(|R_2 - R_1|³),

so energy differences regressed on the right-hand side have slope +1. Forces of the wrong sign give
-1, and a wrong unit of energies, forces or positions gives the factor between the units.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from mlipkd.datasets.dataset import Dataset
from mlipkd.datasets.duplicates import fingerprints
from mlipkd.units import BOHR, HARTREE, KCAL_MOL, KJ_MOL, NANOMETRE

#: Configurations looked at: in larger sets, this many runs of so many neighbours in the file.
RUNS, RUN_LENGTH = 50, 50
#: Pairs of configurations that are regressed: the nearest, as the rule is exact for small steps.
PAIRS = 100
FEWEST_PAIRS = 8
#: Root-mean-square displacement of the atoms between the two of a pair, Å. Below, configurations
#: are the same and tell nothing; above, the rule no longer holds.
NEAREST, FARTHEST = 1e-3, 0.5
#: Largest difference between the cells of a pair, relative to their length.
CELL_CHANGE = 5e-3
#: Below, they are the same cell, rounded: the energy of a cell may depend on strain to first order.
SAME_CELL = 1e-6

#: Correlations from which the slope's sign, and its size, are beyond doubt.
SIGN_IS_SURE, SIZE_IS_SURE = 0.5, 0.8
#: Units and how many of the first make the second; a mistake gives this slope, or its inverse.
FACTORS = {
    "bohr and Å": 1 / BOHR,
    "Ry and Ha": 2.0,
    "kcal and kJ": KCAL_MOL / KJ_MOL,
    "Å and nm": NANOMETRE,
    "Ry and eV": HARTREE / 2,
    "eV and kcal/mol": 1 / KCAL_MOL,
    "Ry/bohr and eV/Å": HARTREE / 2 / BOHR,
    "Ha and eV": HARTREE,
    "Ha/bohr and eV/Å": HARTREE / BOHR,
    "eV and kJ/mol": 1 / KJ_MOL,
    "Ha and kcal/mol": HARTREE / KCAL_MOL,
    "eV and meV": 1000.0,
    "Ha/bohr and kcal/mol/Å": HARTREE / BOHR / KCAL_MOL,
    "Ha and kJ/mol": HARTREE / KJ_MOL,
}
#: How near a slope must come to a factor to be taken for it. Steps that are not small bend slopes:
#: right data gave 0.75 to 1.25.
NEAR_FACTOR = 1.3
#: Slopes within this factor of 1 are right; farther from 1 than the other, they are wrong.
NEAR_ONE, FAR_FROM_ONE = 1.6, 4.0
#: Labels contradict each other if so many pairs within this step, Å, have a correlation below this.
#: A bond's third derivative is about -6/Å times its second, which makes the rule's error a fifth of
#: the work at this step; right data had correlations from 0.85 on, at twice the step down to 0.2.
MANY_PAIRS, NEAR_STEP, UNRELATED = 20, 0.25, 0.5
#: Energies may be off by this without a doubt about them: as a whole, eV, and for each atom.
#: 1 kcal/mol is what reference methods claim; settings converge to about 1 meV/atom.
ENERGY_NOISE, ATOM_NOISE = KCAL_MOL, 1e-3


class Pair(NamedTuple):
    """Two configurations of the same atoms that are near each other."""

    step: float
    """Root-mean-square displacement of the atoms, Å."""
    work: float
    """Of the forces on the way, with the sign of energies, eV."""
    difference: float
    """Of the energies, eV."""
    stiffness: float
    """-ΔF·ΔR/|ΔR|², eV/Å²."""
    strained: bool
    """Whether their cells differ, whose work is not counted."""
    size: int
    """How many atoms."""
    first: int
    second: int
    """Which configurations."""


@dataclass(frozen=True)
class Consistency:
    """Energy differences regressed on the work of the forces."""

    pairs: int
    """Pairs of configurations near enough to each other."""
    slope: float
    """+1 if energies and forces go together; NaN if all are the same."""
    correlation: float
    """How well they go together; near ±1 if the slope can be relied on, 0 if all are the same."""
    stiffness: float
    """Median of -ΔF·ΔR/|ΔR|²: how forces restore what moved, eV/Å²; that of bonds and crystals."""
    contradiction: str | None = None
    """Labels that belong together by no rule, in words."""

    def fault(self) -> str | None:
        """What is wrong with the forces, or none if nothing is for certain."""
        if self.correlation < -SIGN_IS_SURE:
            return (
                f"expected forces F = -dE/dR, got the gradient +dE/dR ({self}); "
                "state the other force sign, or choose the reader whose sign it is"
            )
        if self.correlation > SIZE_IS_SURE and (units := self._units()):
            return (
                "expected energies, forces and positions in eV, eV/Å and Å, got a mismatch like "
                f"that between {units} ({self}); state the units they are in, or convert them"
            )
        return self.contradiction

    def remark(self) -> str:
        """What is known about forces without a fault."""
        if self.correlation < SIZE_IS_SURE:
            return f"sign and unit of the forces are as documented, energies do not tell ({self})"
        if not 1 / NEAR_ONE < self.slope < NEAR_ONE:
            return f"forces go with the energies, but not to scale ({self}); check their unit"
        return f"forces go with the energies ({self})"

    def _units(self) -> str | None:
        """The units that the slope may come from, or none if it is right or in doubt."""
        size = max(self.slope, 1 / self.slope)
        if size < NEAR_ONE:
            return None
        off = {name: abs(np.log(size / factor)) for name, factor in FACTORS.items()}
        units = [
            name for name in sorted(off, key=off.__getitem__) if off[name] < np.log(NEAR_FACTOR)
        ]
        return " or ".join(units) or ("unknown units" if size > FAR_FROM_ONE else None)

    def __str__(self) -> str:
        return (
            f"slope {self.slope:+.3g} of energy differences against the forces' work, "
            f"correlation {self.correlation:+.2f}, {self.pairs} pairs of neighbours"
        )


def consistency(dataset: Dataset) -> Consistency | None:
    """The slope of a dataset's reference energies, or none if too few configurations are close."""
    return consistency_of(neighbouring_pairs(dataset))


def neighbouring_pairs(dataset: Dataset) -> list[Pair]:
    """Pairs of configurations within ``FARTHEST``, those that are the same included."""
    reference = dataset.labels["reference"]
    if not {"energy", "forces"} <= set(reference) or len(dataset) < 2:
        return []
    chosen = np.arange(len(dataset))
    if len(dataset) > RUNS * RUN_LENGTH:
        starts = np.linspace(0, len(dataset) - RUN_LENGTH, RUNS).astype(int)
        chosen = np.add.outer(starts, np.arange(RUN_LENGTH)).ravel()
        dataset = dataset.select(chosen)
    pairs = []
    for first, second in _candidates(dataset):
        values = _pair(dataset, first, second)
        if values is not None and values[0] < FARTHEST and np.isfinite(values[:3]).all():
            here, there = dataset.cells[first], dataset.cells[second]
            strained = bool(np.abs(here - there).max() > SAME_CELL * np.abs(here).max())
            numbers = int(chosen[first]), int(chosen[second])
            pairs.append(Pair(*values, strained, int(dataset.sizes[first]), *numbers))
    return sorted(pairs, key=lambda pair: (*pair[:4], pair.first, pair.second))


def consistency_of(pairs: list[Pair]) -> Consistency | None:
    """The slope over the nearest pairs that are not the same, or none if these are too few."""
    apart = [pair for pair in pairs if pair.step > NEAREST and np.isfinite(pair.stiffness)]
    if len(apart) < FEWEST_PAIRS:
        return None
    step, work, difference, stiffness, strained, sizes, _, _ = np.array(apart[:PAIRS]).T
    near = (step < NEAR_STEP) & (strained == 0)  # (pairs,)
    return Consistency(
        pairs=len(work),
        slope=work @ difference / (work @ work) if work.any() and difference.any() else np.nan,
        correlation=_correlation(work, difference),
        stiffness=float(np.median(stiffness)),
        contradiction=_contradiction(work[near], difference[near], sizes[near]),
    )


def _correlation(work: np.ndarray, difference: np.ndarray) -> float:
    """Of (pairs,) numbers, whose sign depends on the order of a pair; 0 if all are the same."""
    scale = float(np.sqrt((work @ work) * (difference @ difference)))
    return float(work @ difference) / scale if scale else 0.0


def _contradiction(work: np.ndarray, difference: np.ndarray, sizes: np.ndarray) -> str | None:
    """What is wrong if energies of near pairs have nothing to do with the forces' work, or none.

    None where pairs are few, or differ by less than what energies may be off by.
    """
    if len(work) < MANY_PAIRS or abs(correlation := _correlation(work, difference)) > UNRELATED:
        return None
    off = difference - work  # (pairs,) eV
    if not (np.median(np.abs(off) / energy_noise(sizes)) > 1 or np.abs(off).max() > 1):
        return None
    return (
        f"expected energy differences of neighbouring configurations near the forces' work, rms "
        f"{np.sqrt((work**2).mean()):.3g} eV, got rms {np.sqrt((difference**2).mean()):.3g} eV, "
        f"correlation {correlation:+.2f}, {len(work)} pairs within {NEAR_STEP} Å; see whether "
        "energies and forces are of one method and of the same frame, and forces of all frames "
        "were computed"
    )


def energy_noise(sizes: np.ndarray) -> np.ndarray:
    """What energies of configurations of so many atoms may be off by, eV."""
    return np.maximum(ENERGY_NOISE, ATOM_NOISE * sizes)


def _candidates(dataset: Dataset) -> Iterator[tuple[int, int]]:
    """Configurations of the same atoms in the same order that may be near each other.

    These are neighbours in the file, as in a trajectory, and neighbours by fingerprint.
    """
    prints = fingerprints(dataset)  # (configurations, functions)
    alike: dict[bytes, list[int]] = {}
    for m, (start, stop) in enumerate(zip(dataset.offsets[:-1], dataset.offsets[1:], strict=True)):
        alike.setdefault(dataset.species[start:stop].tobytes(), []).append(m)
    for members in alike.values():
        if len(members) > 1:
            _, nearest = cKDTree(prints[members]).query(prints[members], k=min(3, len(members)))
            by_print = {
                (min(members[i], members[j]), max(members[i], members[j]))
                for i, row in enumerate(nearest)
                for j in row
                if i != j
            }
            yield from sorted(by_print.union(itertools.pairwise(members)))


def _pair(dataset: Dataset, first: int, second: int) -> tuple[float, float, float, float] | None:
    """Displacement (Å, rms), work and energy difference (eV) and stiffness (eV/Å²) of a pair."""
    here, there = (slice(*dataset.offsets[m : m + 2]) for m in (first, second))
    reference = dataset.labels["reference"]
    positions, moved = dataset.positions[here], dataset.positions[there]  # (atoms, 3)
    forces, moved_forces = reference["forces"][here], reference["forces"][there]  # (atoms, 3)
    if (dataset.periodic[first] != dataset.periodic[second]).any():
        return None
    if dataset.periodic[first].any():
        step = _periodic_step(dataset, first, second, positions, moved)
        if step is None:
            return None
    else:
        positions, moved = positions - positions.mean(0), moved - moved.mean(0)
        turn = _rotation(moved, positions)  # (3, 3)
        step, moved_forces = moved @ turn - positions, moved_forces @ turn
    work = -0.5 * np.sum((forces + moved_forces) * step)
    difference = reference["energy"][second] - reference["energy"][first]
    squared = float((step**2).sum())  # Å²
    stiffness = -np.sum((moved_forces - forces) * step) / squared if squared else np.nan
    return np.sqrt(squared / len(step)), float(work), float(difference), float(stiffness)


def _periodic_step(
    dataset: Dataset, first: int, second: int, positions: np.ndarray, moved: np.ndarray
) -> np.ndarray | None:
    """Shortest displacements without the drift (atoms, 3), or none if the cells differ."""
    cell, moved_cell = dataset.cells[first], dataset.cells[second]
    if np.abs(moved_cell - cell).max() > CELL_CHANGE * np.abs(cell).max():
        return None
    if not dataset.periodic[first].all():
        if not np.array_equal(cell, moved_cell):
            return None
        step = moved - positions
        return step - step.mean(0)
    fractions = moved @ np.linalg.inv(moved_cell) - positions @ np.linalg.inv(cell)  # (atoms, 3)
    step = (fractions - np.round(fractions)) @ (cell + moved_cell) / 2
    return step - step.mean(0)


def _rotation(points: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The rotation M for which ``points @ M`` is nearest to ``target`` (Kabsch 1976): (3, 3)."""
    left, _, right = np.linalg.svd(points.T @ target)
    handedness = np.sign(np.linalg.det(left @ right))
    return left @ np.diag([1, 1, handedness]) @ right
