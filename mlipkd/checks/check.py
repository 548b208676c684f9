"""All checks of a dataset, in the order in which they need each other; and what is in it, in words.

What is wrong is a fault, with its place and the remedy; what may be right is a remark.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mlipkd.checks.force_energy_consistency import (
    Consistency,
    consistency_of,
    neighbouring_pairs,
)
from mlipkd.checks.force_sums import Sums, sums, zero_forces
from mlipkd.checks.hessians import bad_hessians, implied_unit, periodic_hessians
from mlipkd.checks.label_statistics import (
    constant_labels,
    contradictory_copies,
    outliers,
)
from mlipkd.checks.positions_and_labels import (
    Contacts,
    bad_labels,
    bad_positions,
    contacts,
    overlaps,
)
from mlipkd.checks.temperature import Temperature, temperature
from mlipkd.checks.units import energy_mistake, length_mistake
from mlipkd.datasets.dataset import LABELS, TEST, TRAIN, UNUSED, VALIDATION, Dataset, species_name
from mlipkd.datasets.duplicates import duplicates

#: Atoms closer than this are worth a look, Å.
CLOSE = 0.6
#: A single atom is free if its nearest image is farther than this, Å: no bond or metal is as wide.
FREE = 6.0
#: What the rows of a label are, by how many of its axes are atoms.
ROWS = "configurations", "atoms", "pairs of atoms"
SPLITS = {"train": TRAIN, "validation": VALIDATION, "test": TEST, "unused": UNUSED}


@dataclass(frozen=True)
class Report:
    """The results of the checks."""

    faults: list[str]
    """One line each, with place and remedy; a dataset with any is not to be used."""
    remarks: list[str]
    """What a user should know, but may be right."""
    contacts: Contacts | None = None
    """How close atoms come, if positions are places in space."""
    consistency: Consistency | None = None
    """How energies and forces go together, if that can be told."""
    sums: Sums | None = None
    """What is left of forces and torques, if there are forces of atoms."""


def check(dataset: Dataset) -> Report:
    """Run all checks; those that need sound configurations, only where these are sound."""
    if faults := bad_positions(dataset):
        return Report([*faults, *bad_labels(dataset)], [])
    faults = bad_labels(dataset)
    near = contacts(dataset)
    if mistake := length_mistake(near):
        return Report([*faults, f"{_origin(dataset)}: {mistake}"], [], near)
    faults += overlaps(dataset, near)
    if faults:
        return Report(faults, [], near)

    pairs = neighbouring_pairs(dataset)
    fit = consistency_of(pairs)
    heat = temperature(dataset, near)
    left = sums(dataset)
    constant = constant_labels(dataset)
    # Each of these explains what the next ones would find.
    if not constant and (faults := contradictory_copies(dataset, pairs) or zero_forces(dataset)):
        return Report(faults, [], near, fit, left)
    mistakes = [
        *constant,
        energy_mistake(dataset),
        fit.fault() if fit and not constant else None,
        heat.fault() if heat else None,
    ]
    faults = [f"{_origin(dataset)}: {mistake}" for mistake in mistakes if mistake]
    if left and not faults:
        faults = left.faults(dataset)
    if not faults and {"hessian", "forces"} <= set(dataset.labels["reference"]):
        faults = _hessian_faults(dataset)
    return Report(faults, _remarks(dataset, near, fit, heat), near, fit, left)


def _hessian_faults(dataset: Dataset) -> list[str]:
    if fault := periodic_hessians(dataset):
        return [fault]
    mistake = implied_unit(dataset).fault()
    return [f"{_origin(dataset)}: {mistake}"] if mistake else bad_hessians(dataset)


def _remarks(
    dataset: Dataset, near: Contacts, fit: Consistency | None, heat: Temperature | None
) -> list[str]:
    remarks = []
    if close := int((near.distance < CLOSE).sum()):
        m = int(near.distance.argmin())
        remarks.append(
            f"{close} configurations have atoms closer than {CLOSE} Å: {near.describe(m)} in "
            f"{dataset.place(m)}"
        )
    if not dataset.beads:
        free = (dataset.sizes == 1) & (near.distance > FREE)
        if single := int(free.sum()):
            remarks.append(
                f"{single} configurations are a free atom: these have no neighbours, and count "
                "in the fit of the elements' energies as all others do"
            )
        if crystals := int(((dataset.sizes == 1) & ~free).sum()):
            remarks.append(
                f"{crystals} configurations are a crystal of one atom in the cell, whose force is "
                "zero by symmetry: only energies and stresses tell about it"
            )
        remarks += outliers(dataset)
    if heat:
        remarks.append(str(heat))
    elif "forces" in dataset.labels["reference"] and not (fit and fit.fault()):
        remarks.append(
            fit.remark()
            if fit
            else "sign and unit of the forces are as documented, there are no neighbouring "
            "configurations to tell them from"
        )
    return remarks


def _origin(dataset: Dataset) -> str:
    """Where a dataset as a whole comes from, in words."""
    files = dataset.provenance.get("source", {}).get("files")
    if not files:
        return dataset.name
    if isinstance(files, dict):
        files = [path for paths in files.values() for path in paths]
    return files[0] if len(files) == 1 else f"{files[0]} and {len(files) - 1} more"


def contents(dataset: Dataset, report: Report) -> list[str]:
    """Lines of name and value."""
    return [f"{name:16} {value}" for name, value in _facts(dataset, report)]


def split_counts(dataset: Dataset) -> str:
    """How many configurations each split has, in words."""
    return ", ".join(f"{name} {(dataset.splits == n).sum()}" for name, n in SPLITS.items())


def _facts(dataset: Dataset, report: Report) -> Iterator[tuple[str, str]]:
    sizes = dataset.sizes  # (configurations,)
    numbers, counts = np.unique(dataset.species, return_counts=True)
    yield "configurations", f"{len(dataset)} in {len(np.unique(dataset.groups))} groups"
    species = [
        f"{species_name(z, dataset.beads)} {n}" for z, n in zip(numbers, counts, strict=True)
    ]
    yield (
        "beads" if dataset.beads else "atoms",
        f"{sizes.sum()}, from {sizes.min()} to {sizes.max()} in a configuration",
    )
    yield "species" if dataset.beads else "elements", ", ".join(species)
    if dataset.beads:
        yield "masses", ", ".join(f"{bead.name} {bead.mass:.6g} u" for bead in dataset.beads)
    yield "periodic", f"{int(dataset.periodic.any(1).sum())} of {len(dataset)}"
    if (dataset.splits != UNUSED).any():
        yield "splits", split_counts(dataset)
    for whose, given in dataset.labels.items():
        for label, values in given.items():
            yield f"{whose} {label}"[:16], _range(dataset, label, values)
    if report.contacts and np.isfinite(report.contacts.distance).any():
        m = int(report.contacts.distance.argmin())
        yield "closest contact", f"{report.contacts.describe(m)} in {dataset.place(m)}"
    if report.sums:
        yield from report.sums.facts(dataset)
    if not report.faults:
        yield "duplicates", str(len(dataset) - len(np.unique(duplicates(dataset))))
    for remark in dict.fromkeys([*report.remarks, *dataset.provenance.get("notes", ())]):
        yield "note", remark


def _range(dataset: Dataset, label: str, values: np.ndarray) -> str:
    """A label's range; energies for each atom, as only these compare between sizes."""
    unit = LABELS[label].unit
    if label == "energy":
        values, unit = values / dataset.sizes, "eV/atom"
    rows = np.isfinite(values.reshape(len(values), -1)).all(1)
    if not rows.any():
        return "none"
    known = values[rows]
    missing = "" if rows.all() else f", missing for {(~rows).sum()} of {len(rows)} "
    missing += "" if rows.all() else ROWS[LABELS[label].atom_axes]
    rms = float(np.sqrt((known**2).mean()))
    return f"{known.min():.6g} to {known.max():.6g} {unit}, rms {rms:.4g}{missing}"
