"""The ensemble: mean and spread of its members, and members that are left out of it.

A broken member spoils the mean: with one teacher of eight at twenty times the others' error, the
root mean square error of the mean is 2.5 times a good member's, without that teacher 0.38 times.
With d_m the root mean square deviation of member m from the members' median, it is

    left out where  d_m > median(d) + 5 · 1.4826 · MAD(d)  and  d_m > 3 · median(d)

(P. J. Rousseeuw, C. Croux, J. Am. Stat. Assoc. 88, 1273 (1993), for the factor that makes the
median absolute deviation a standard deviation). Because of the second condition, none of several
almost equal members, whose MAD is next to nothing, is left out for being slightly less equal. Of
two members that differ, nobody can say which is wrong: both remain.
"""

from dataclasses import dataclass, field

import numpy as np

from mlipkd.checks.positions_and_labels import configurations_of
from mlipkd.datasets.dataset import memory_batches, row_offsets
from mlipkd.datasets.file import DatasetFile
from mlipkd.distillation.predictions import PredictionsFile, memory_batches_of, rows_of, shape
from mlipkd.errors import InputError

NORMAL = 1.4826
TOLERANCE = 5.0
RATIO = 3.0

#: The rule in words, for the manifest.
RULE = (
    f"root mean square deviation from the members' median above median + {TOLERANCE:g} · {NORMAL} "
    f"· MAD and above {RATIO:g} · median of all members', or a prediction that is not finite"
)


def mean(members: np.ndarray) -> np.ndarray:
    """Mean of predictions (members, …): (…)."""
    return members.mean(axis=0)


def spread(members: np.ndarray) -> np.ndarray:
    """Sample standard deviation of the predictions of at least two members, (members, …): (…)."""
    return members.std(axis=0, ddof=1)


class Deviations:
    """Each member's root mean square deviation from the members' median, batch by batch."""

    def __init__(self, members: int) -> None:
        self.squared = np.zeros(members)
        self.count = 0

    def add(self, members: np.ndarray) -> None:
        """Add predictions (members, …) of one batch."""
        deviation = (members - np.median(members, axis=0)).reshape(len(members), -1)
        self.squared += np.einsum("mx,mx->m", deviation, deviation)
        self.count += deviation.shape[1]

    def rms(self) -> np.ndarray:
        """(members,), in the predictions' unit."""
        return np.sqrt(self.squared / self.count)


def outliers(deviations: np.ndarray) -> np.ndarray:
    """Which members are left out for their deviations from the median: (members,) bool."""
    median = np.median(deviations)
    mad = np.median(np.abs(deviations - median))
    return (deviations > median + TOLERANCE * NORMAL * mad) & (deviations > RATIO * median)


#: The quantities that members are compared by, and their units.
COMPARED = {"energy_per_atom": "eV/atom", "forces": "eV/Å"}


@dataclass
class Member:
    """A member of the ensemble, and how far it deviates from the others."""

    predictions: PredictionsFile
    deviation: dict[str, float] = field(default_factory=dict)
    """Root mean square deviation from the members' median, by the quantities compared; empty if not
    all predictions are finite, or if there are no other members."""
    left_out_because: list[str] = field(default_factory=list)
    """Empty if it is included."""

    @property
    def kept(self) -> bool:
        """Whether the member is part of the ensemble."""
        return not self.left_out_because


def stacked(members: list[Member], quantity: str, batch: slice, offsets: np.ndarray) -> np.ndarray:
    """All members' predictions for a memory batch: (members, rows, …)."""
    rows = rows_of(quantity, batch, offsets)
    return np.stack([member.predictions.read(quantity, rows) for member in members])


def refuse_mismatches(dataset: DatasetFile, members: list[Member]) -> None:
    """Refuse members that do not make one ensemble on this dataset.

    Raises:
        InputError: they differ by dataset, family, model, quantities or shapes, or share a seed.
    """
    first = members[0].predictions
    seeds: dict[int, PredictionsFile] = {}
    for file in (member.predictions for member in members):
        if file.dataset_sha256 != dataset.sha256:
            raise InputError(
                f"{file.path}: expected predictions of {dataset.path} (SHA-256 "
                f"{dataset.sha256[:12]}…), got those of {file.dataset} "
                f"({file.dataset_sha256[:12]}…); run mlipkd predict on this dataset"
            )
        for attribute in ("family", "model", "trained_on", "quantities"):
            expected, actual = getattr(first, attribute), getattr(file, attribute)
            if actual != expected:
                raise InputError(
                    f"{file.path}: expected {attribute.replace('_', ' ')} {expected} as in "
                    f"{first.path}, got {actual}; merge members of one family, model and dataset"
                )
        if file.seed in seeds:
            raise InputError(
                f"{file.path}: expected each member once, got seed {file.seed} as in "
                f"{seeds[file.seed].path}; leave one of the two out"
            )
        seeds[file.seed] = file
        for quantity in file.quantities:
            expected, actual = shape(quantity, dataset.offsets), file.shapes[quantity]
            if actual != expected:
                raise InputError(
                    f"{file.path}: expected {quantity} of shape {expected}, got {actual}; "
                    "run mlipkd predict again"
                )


def leave_out_outliers(dataset: DatasetFile, members: list[Member]) -> None:
    """Set each member's deviation and, if it is left out, the reasons.

    Raises:
        InputError: half of the members or more would be left out.
    """
    for member in members:
        if (place := _first_not_finite(dataset, member)) is not None:
            member.left_out_because.append(f"{place} is not finite")
    finite = [member for member in members if member.kept]
    if len(finite) > 1:
        _compare(dataset, finite)

    left_out = [member for member in members if not member.kept]
    if 2 * len(left_out) >= len(members):
        reasons = "; ".join(
            f"{member.predictions.path}: {', '.join(member.left_out_because)}"
            for member in left_out
        )
        raise InputError(
            f"{dataset.path}: expected most of {len(members)} members to agree, but "
            f"{len(left_out)} would be left out ({reasons}); train those again"
        )


def _compare(dataset: DatasetFile, members: list[Member]) -> None:
    deviations = {quantity: Deviations(len(members)) for quantity in COMPARED}
    for batch in memory_batches_of(dataset, "batches compared"):
        energy = stacked(members, "energy", batch, dataset.offsets)  # (members, configurations)
        deviations["energy_per_atom"].add(energy / dataset.sizes[batch])
        deviations["forces"].add(stacked(members, "forces", batch, dataset.offsets))
    for quantity, unit in COMPARED.items():
        rms = deviations[quantity].rms()  # (members,)
        for member, value, out in zip(members, rms.tolist(), outliers(rms), strict=True):
            member.deviation[quantity] = value
            if out:
                member.left_out_because.append(
                    f"{quantity} deviates by {value:.3g} {unit} from the members' median, "
                    f"a typical member by {np.median(rms):.3g}"
                )


def _first_not_finite(dataset: DatasetFile, member: Member) -> str | None:
    """Where a member's predictions are first NaN or infinite, apart from recorded failures."""
    failed = np.array(list(member.predictions.failed), int)  # (failed configurations,)
    for batch in memory_batches(dataset.sizes):
        for quantity in member.predictions.quantities:
            values = stacked([member], quantity, batch, dataset.offsets)[0]  # (rows, …)
            not_finite = np.flatnonzero(~np.isfinite(values).reshape(len(values), -1).all(axis=1))
            rows = row_offsets(quantity, dataset.offsets)  # (configurations + 1,)
            places = configurations_of(rows, not_finite + rows[batch.start])
            unexplained = np.setdiff1d(places, failed)  # (configurations,)
            if len(unexplained):
                return f"{quantity} of configuration {unexplained[0]}"
    return None
