"""Hessians: whether they go with the positions and forces of their configurations.

The energy of a free molecule changes neither when it is moved nor when it is turned, so at any
positions, stationary or not,

    H = Hᵀ,  Σ_j H_ij = 0,  H (ω × R) = -ω × F

for every axis ω. The last relation fixes the unit of the Hessians by that of the forces. Where all
forces are near 0 it cannot, and the unit shows in the wavenumber of the stretching of bonds to
hydrogen, which hardly depends on the molecule.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from ase.data import atomic_masses

from mlipkd.checks.positions_and_labels import fault_lines
from mlipkd.datasets.dataset import Dataset, row_offsets
from mlipkd.datasets.file import DatasetFile
from mlipkd.datasets.normal_modes import hessian_matrix, normal_modes, rigid_motions, wavenumbers
from mlipkd.errors import InputError
from mlipkd.units import FORCE, HESSIAN

#: Parts of a Hessian that should not be there, relative to all of it (Frobenius norms). Central
#: differences and integration grids leave 1e-5 to 1e-2.
ASYMMETRY, RIGID = 0.02, 0.05
#: Configurations that the unit is told from, evenly spread.
SAMPLE = 500
#: From this correlation on, the slope of ω × F against H (ω × R) can be relied on, and within this
#: factor it is 1, or that of a wrong unit.
SURE, NEAR = 0.9, 1.15
#: Wavenumber of the stiffest mode of molecules with hydrogen, 1/cm, in the median; and within which
#: factor of it, squared, a wrong unit is recognised. Units differ by more than twice that factor.
STRETCHING, ROUGHLY = 3300.0, 1.5
HYDROGEN = 1


def periodic_hessians(
    dataset: Dataset | DatasetFile, configurations: np.ndarray | None = None
) -> str | None:
    """What is wrong with Hessians of configurations that repeat in any direction.

    Args:
        dataset: only its periodic directions are read.
        configurations: (chosen,) int, those with Hessians; all if left out.
    """
    chosen = np.arange(len(dataset)) if configurations is None else configurations
    periodic = chosen[dataset.periodic[chosen].any(axis=1)]
    if len(periodic) == 0:
        return None
    return (
        f"{dataset.place(int(periodic[0]))}: expected free molecules for Hessians, got "
        f"{len(periodic)} configurations with a cell, of which this is the first; remove them, or "
        "do without Hessians (in a recipe: leave out hessian and hvp)"
    )


def refuse_periodic_hessians(
    dataset: Dataset | DatasetFile, configurations: np.ndarray | None = None
) -> None:
    """Refuse Hessians of configurations with a cell; arguments are those of the function above.

    Raises:
        InputError: there are such configurations.
    """
    if fault := periodic_hessians(dataset, configurations):
        raise InputError(fault)


@dataclass(frozen=True)
class ImpliedUnit:
    """What the Hessians of a dataset imply of their unit."""

    slope: float
    """Of H (ω × R) against -ω × F; 1 if units and sign are right."""
    correlation: float
    """How well the two go together; near ±1 if the slope can be relied on."""
    stretching: float
    """Median over configurations of the highest wavenumber, 1/cm; NaN without hydrogen."""
    hessian_unit: str
    """The unit that the Hessians were read in."""
    force_unit: str
    """The unit that the forces were read in."""

    def fault(self) -> str | None:
        """What is wrong with the unit of the Hessians or forces, or none if nothing is for sure."""
        if self.correlation < -SURE:
            return (
                f"expected forces F = -dE/dR with the Hessians, got gradients ({self}); state "
                "the other force sign"
            )
        if self.correlation > SURE:
            if 1 / NEAR < self.slope < NEAR:
                return None
            units = self._units(self.slope, NEAR)
            return (
                f"expected Hessians in {self.hessian_unit} that go with forces in "
                f"{self.force_unit} as the molecules are turned, got a mismatch ({self})"
                + (f" as of {' or of '.join(units)}" if units else "")
                + "; state the units they are in"
            )
        too_large = (self.stretching / STRETCHING) ** 2
        if units := [u for u in self._units(too_large, ROUGHLY) if u.startswith("Hessians")]:
            return (
                f"expected Hessians in {self.hessian_unit}, got a stiffest mode of "
                f"{self.stretching:.0f}/cm in the median, where bonds to hydrogen have about "
                f"{STRETCHING:.0f}/cm: they look like {' or '.join(units)}; state their unit"
            )
        return None

    def _units(self, scale: float, within: float) -> list[str]:
        """What may be in other units than stated if Hessians come out this much too large."""
        ratios = {
            f"Hessians in {unit}": HESSIAN[self.hessian_unit] / factor
            for unit, factor in HESSIAN.items()
            if unit != self.hessian_unit
        } | {
            f"forces in {unit}": factor / FORCE[self.force_unit]
            for unit, factor in FORCE.items()
            if unit != self.force_unit
        }
        return [what for what, ratio in ratios.items() if 1 / within < scale / ratio < within]

    def __str__(self) -> str:
        return f"slope {self.slope:+.3g}, correlation {self.correlation:+.2f}"


class Molecule(NamedTuple):
    """One configuration and its labels."""

    number: int
    species: np.ndarray
    """(atoms,)."""
    positions: np.ndarray
    """(atoms, 3), Å."""
    forces: np.ndarray
    """(atoms, 3), eV/Å."""
    hessian: np.ndarray
    """(3 atoms, 3 atoms), eV/Å²."""


def implied_unit(dataset: Dataset) -> ImpliedUnit:
    """What the reference Hessians of free molecules say of their unit."""
    sums, stiffest = np.zeros(3), []
    known = _known(dataset)
    sample = known[np.unique(np.linspace(0, len(known) - 1, SAMPLE).astype(int))]
    for molecule in _molecules(dataset, sample):
        arms = rigid_motions(molecule.positions)[3:].reshape(3, -1)
        torques = -_turned(molecule.forces)  # (3, 3 atoms)
        changes = arms @ molecule.hessian  # (3, 3 atoms)
        sums += [(torques**2).sum(), (torques * changes).sum(), (changes**2).sum()]
        if HYDROGEN in molecule.species and len(molecule.species) > 1:
            masses = atomic_masses[molecule.species]
            eigenvalues, _ = normal_modes(molecule.hessian, molecule.positions, masses)
            stiffest.append(wavenumbers(eigenvalues).max())
    source = dataset.provenance.get("source", {})
    return ImpliedUnit(
        slope=float(sums[1] / sums[0]) if sums[0] else np.nan,
        correlation=float(sums[1] / np.sqrt(sums[0] * sums[2])) if sums[0] * sums[2] else 0.0,
        stretching=float(np.median(stiffest)) if stiffest else np.nan,
        hessian_unit=source.get("hessian_unit", "eV/Å^2"),
        force_unit=source.get("force_unit", "eV/Å"),
    )


def bad_hessians(dataset: Dataset) -> list[str]:
    """Hessians that are not symmetric, or not those of their positions and forces."""
    asymmetric: dict[int, float] = {}
    foreign: dict[int, float] = {}
    for molecule in _molecules(dataset, _known(dataset)):
        hessian = molecule.hessian
        size = np.linalg.norm(hessian)
        asymmetry = np.linalg.norm(hessian - hessian.T) / size if size else 0.0
        rigid = rigid_motions(molecule.positions).reshape(6, -1)
        expected = np.concatenate([np.zeros_like(rigid[:3]), -_turned(molecule.forces)])
        rest = np.linalg.norm(rigid @ hessian - expected) / (size * np.linalg.norm(rigid) or 1)
        if asymmetry > ASYMMETRY:
            asymmetric[molecule.number] = float(asymmetry)
        elif rest > RIGID:
            foreign[molecule.number] = float(rest)
    return [
        *fault_lines(
            dataset,
            np.array(list(asymmetric), int),
            lambda m: (
                f"expected a symmetric Hessian, got one that differs from its transpose by "
                f"{asymmetric[m]:.2g} of its size; remove the configuration"
            ),
        ),
        *fault_lines(
            dataset,
            np.array(list(foreign), int),
            lambda m: (
                "expected a Hessian of these positions, which moving and turning the molecule "
                f"leave 0 but for its forces, got {foreign[m]:.2g} of its size; see whether it "
                "belongs to another orientation or order of the atoms"
            ),
        ),
    ]


def _known(dataset: Dataset) -> np.ndarray:
    """Configurations that have a Hessian and forces: (known,)."""
    reference = dataset.labels["reference"]
    finite = np.ones(len(dataset), bool)
    for label in ("hessian", "forces"):
        rows = np.isfinite(reference[label]).all((-1, -2) if label == "hessian" else -1)  # (rows,)
        finite &= np.logical_and.reduceat(rows, row_offsets(label, dataset.offsets)[:-1])
    return np.flatnonzero(finite)


def _molecules(dataset: Dataset, configurations: np.ndarray) -> Iterator[Molecule]:
    rows = row_offsets("hessian", dataset.offsets)  # (configurations + 1,)
    reference = dataset.labels["reference"]
    for m in configurations.tolist():
        atoms = slice(*dataset.offsets[m : m + 2])
        yield Molecule(
            m,
            dataset.species[atoms],
            dataset.positions[atoms],
            reference["forces"][atoms],
            hessian_matrix(reference["hessian"][rows[m] : rows[m + 1]]),
        )


def _turned(vectors: np.ndarray) -> np.ndarray:
    """ω × vectors for each axis ω: (3, 3 atoms)."""
    return np.cross(np.eye(3)[:, None], vectors).reshape(3, -1)
