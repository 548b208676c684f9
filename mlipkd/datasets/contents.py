"""Contents: what is in a dataset, in a few lines for a person."""

from collections.abc import Iterator

import numpy as np

from mlipkd.datasets.beads import species_name
from mlipkd.datasets.checks import Report
from mlipkd.datasets.dataset import LABELS, TEST, TRAIN, UNUSED, VALIDATION, Dataset
from mlipkd.datasets.duplicates import duplicates

#: What the rows of a label are, by how many of its axes are atoms.
ROWS = "configurations", "atoms", "pairs of atoms"
SPLITS = {"train": TRAIN, "validation": VALIDATION, "test": TEST, "unused": UNUSED}


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
    if not report.faults:
        yield "duplicates", str(len(dataset) - len(np.unique(duplicates(dataset))))
    for remark in dict.fromkeys([*report.remarks, *dataset.provenance.get("notes", ())]):
        yield "note", remark


def _range(dataset: Dataset, label: str, values: np.ndarray) -> str:
    """A label's range; energies for each atom, as only these compare between sizes."""
    unit = LABELS[label][1]
    if label == "energy":
        values, unit = values / dataset.sizes, "eV/atom"
    rows = np.isfinite(values.reshape(len(values), -1)).all(1)
    if not rows.any():
        return "none"
    known = values[rows]
    missing = "" if rows.all() else f", missing for {(~rows).sum()} of {len(rows)} "
    missing += "" if rows.all() else ROWS[LABELS[label][0].count("atoms")]
    return f"{known.min():.6g} to {known.max():.6g} {unit}, rms {_rms(known):.4g}{missing}"


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt((values**2).mean()))
