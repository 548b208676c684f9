"""Checks: whether a dataset is what it says, before anything is trained on it."""

from dataclasses import dataclass

from mlipkd.datasets.consistency import Consistency, consistency
from mlipkd.datasets.constant import constant_labels
from mlipkd.datasets.contacts import Contacts, contacts
from mlipkd.datasets.curvature import bad_hessians, periodic_hessians, scale
from mlipkd.datasets.dataset import Dataset
from mlipkd.datasets.outliers import outliers
from mlipkd.datasets.scales import energy_mistake, length_mistake
from mlipkd.datasets.soundness import bad_labels, bad_positions, overlaps
from mlipkd.datasets.temperature import Temperature, temperature

#: Atoms closer than this are worth a look, Å.
CLOSE = 0.6


@dataclass(frozen=True)
class Report:
    """What the checks found."""

    faults: list[str]
    """One line each, with place and remedy; a dataset with any is not to be used."""
    remarks: list[str]
    """What a user should know, but may be right."""
    contacts: Contacts | None = None
    """How close atoms come, if they are somewhere."""
    consistency: Consistency | None = None
    """How energies and forces go together, if that can be told."""


def check(dataset: Dataset) -> Report:
    """Run all checks; those that need sound configurations, only where these are sound."""
    if faults := bad_positions(dataset):
        return Report([*faults, *bad_labels(dataset)], [])
    faults = bad_labels(dataset)
    found = contacts(dataset)
    if mistake := length_mistake(found):
        return Report([*faults, f"{_whole(dataset)}: {mistake}"], [], found)
    faults += overlaps(dataset, found)
    if faults:
        return Report(faults, [], found)

    fit = consistency(dataset)
    heat = temperature(dataset, found)
    mistakes = [
        *constant_labels(dataset),
        energy_mistake(dataset),
        *(seen.fault() for seen in (fit, heat) if seen),
    ]
    faults = [f"{_whole(dataset)}: {mistake}" for mistake in mistakes if mistake]
    if not faults and {"hessian", "forces"} <= set(dataset.labels["reference"]):
        faults = _hessian_faults(dataset)
    return Report(faults, _remarks(dataset, found, fit, heat), found, fit)


def _hessian_faults(dataset: Dataset) -> list[str]:
    if faults := periodic_hessians(dataset):
        return faults
    mistake = scale(dataset).fault()
    return [f"{_whole(dataset)}: {mistake}"] if mistake else bad_hessians(dataset)


def _remarks(
    dataset: Dataset, found: Contacts, fit: Consistency | None, heat: Temperature | None
) -> list[str]:
    remarks = []
    if near := int((found.distance < CLOSE).sum()):
        m = int(found.distance.argmin())
        remarks.append(
            f"{near} configurations have atoms closer than {CLOSE} Å: {found.describe(m)} in "
            f"{dataset.place(m)}"
        )
    if not dataset.beads:
        if alone := int((dataset.sizes == 1).sum()):
            remarks.append(
                f"{alone} configurations are an atom alone: these have no neighbours, and count "
                "in the fit of the elements' energies as all others do"
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


def _whole(dataset: Dataset) -> str:
    """Where a dataset as a whole comes from."""
    files = dataset.provenance.get("source", {}).get("files")
    if not files:
        return dataset.name
    if isinstance(files, dict):
        files = [path for paths in files.values() for path in paths]
    return files[0] if len(files) == 1 else f"{files[0]} and {len(files) - 1} more"
