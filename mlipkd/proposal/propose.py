"""Proposing a campaign for a dataset, and writing it where nothing is overwritten."""

import re
import tempfile
from pathlib import Path

import numpy as np

from mlipkd.config.dataset import AnySource
from mlipkd.datasets.checks import Report
from mlipkd.datasets.dataset import Dataset
from mlipkd.datasets.unit_guess import Guess
from mlipkd.errors import InputError
from mlipkd.proposal.cutoffs import cutoffs
from mlipkd.proposal.plan import Plan, plan
from mlipkd.proposal.text import Choices
from mlipkd.sizing.size import measure

#: Fewer configurations cannot be divided into three splits that say anything.
FEWEST = 20
#: From so many groups on, these are divided and not configurations.
GROUPS = 20
#: Fractions of the test and the validation split, and configurations that are enough for each.
TEST, VALIDATION, ENOUGH = 0.2, 0.1, (2000, 250)


def propose(dataset: Dataset, source: AnySource, report: Report, guesses: list[Guess]) -> Plan:
    """A campaign for a dataset that the checks found nothing wrong with.

    Args:
        dataset: as ``source`` reads it.
        source: the section of the campaign.
        report: of the checks.
        guesses: of what the source states, and why.

    Raises:
        InputError: there are too few configurations, beads, or atoms alone and nothing else.
    """
    if dataset.beads:
        raise InputError(
            f"{dataset.name}: wanted atoms, got beads; docs/extending.md has a campaign for these"
        )
    if len(dataset) < FEWEST:
        raise InputError(
            f"{dataset.name}: wanted at least {FEWEST} configurations to train on, to validate and "
            f"to test with, got {len(dataset)}; give more"
        )
    assert report.contacts is not None  # there are no faults
    size = measure(dataset, Path(dataset.provenance["source"]["files"][0]))
    distances = cutoffs(dataset, report.contacts, size)
    choices = Choices(
        name=_name(dataset.name),
        source=source,
        guesses=guesses,
        labels=frozenset(dataset.labels["reference"]),
        by_group=len(np.unique(dataset.groups)) >= GROUPS,
        test=min(TEST, float(f"{ENOUGH[0] / len(dataset):.2g}")),
        validation=min(VALIDATION, float(f"{ENOUGH[1] / len(dataset):.2g}")),
        cutoffs=distances,
        neighbours=size.within(distances.hard_max),
    )
    return plan(choices, size)


def refuse_existing(path: Path) -> None:
    """Raise InputError if there is a file already."""
    if path.exists():
        raise InputError(
            f"{path}: wanted no file, found one, which is left as it is; name another by --output"
        )


def write_new(path: Path, text: str) -> None:
    """Write a text that belongs to the user from now on: whole, and over nothing.

    Raises:
        InputError: there is a file, or it cannot be written.
    """
    refuse_existing(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".init.") as folder:
            whole = Path(folder) / path.name
            whole.write_text(text)
            whole.replace(path)
    except OSError as error:
        raise InputError(
            f"{path}: could not be written ({error.strerror or error}); choose another place by "
            "--output"
        ) from error


def _name(stem: str) -> str:
    """A file's name without what names of datasets cannot have."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", stem).strip("-._")[:64] or "dataset"
