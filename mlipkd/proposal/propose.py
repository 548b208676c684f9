"""Proposing a campaign for a dataset, and writing it where nothing is overwritten.

It takes as much data and as many epochs as minutes allow, by the estimates that jobs are sized by.
"""

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from mlipkd.campaign.campaign import Campaign
from mlipkd.campaign.plan import Plan
from mlipkd.checks.check import Report
from mlipkd.checks.positions_and_labels import Contacts
from mlipkd.config.load import parse_section
from mlipkd.datasets.dataset import Dataset
from mlipkd.datasets.size import FARTHEST, Size, measure
from mlipkd.errors import InputError
from mlipkd.proposal.text import Choices, Cutoffs, campaign_text
from mlipkd.proposal.units import Guess
from mlipkd.readers import AnySource
from mlipkd.sizing.estimate import Sizing
from mlipkd.sizing.work import Job, train

#: Fewer configurations cannot be divided into three splits that say anything.
FEWEST = 20
#: From so many groups on, these are divided and not configurations.
GROUPS = 20
#: Fractions of the test and the validation split, and configurations that are enough for each.
TEST, VALIDATION, ENOUGH = 0.2, 0.1, (2000, 250)

#: The cut-off holds so many neighbours, on average, unless it would leave these bounds, Å; and it
#: reaches the second shell, which begins between 1.4 and 1.7 times the first.
NEIGHBOURS = 50
SHORTEST, LONGEST, SHELLS = 4.5, 6.0, 1.9
#: How far before the cut-off the last sensitivity is centred, Å.
MARGIN = 0.5
#: Where the first sensitivity is centred: this part of the distance that one in a hundred
#: configurations has a closer contact than, and never nearer than this, Å.
PART, CLOSE, NEAREST = 0.8, 0.01, 0.3

#: What all training together may take on one core, s, by estimates that a busy machine takes up to
#: twice as long as. The rest of ten minutes on two cores is for labels, errors and starting.
BUDGET = 450.0
#: Epochs at most, from what a small dataset gets down to what a large one must have.
EPOCHS = (200, 150, 120, 100, 80, 60, 40)
#: Fewer configurations to train on would not be halved again.
FEWEST_TRAINED = 50
#: Atoms in a mini-batch, about, configurations at most, and mini-batches in an epoch at least.
BATCH_ATOMS, BATCH, STEPS = 200, 32, 20


@dataclass(frozen=True)
class Proposal:
    """A campaign as text, and what its training will take."""

    text: str
    campaign: Campaign
    seconds: float
    """On one core."""


def propose(dataset: Dataset, source: AnySource, report: Report, guesses: list[Guess]) -> Proposal:
    """A campaign for a dataset that the checks found nothing wrong with.

    Args:
        dataset: as ``source`` reads it.
        source: the section of the campaign.
        report: of the checks.
        guesses: of what the source states, and why.

    Raises:
        InputError: there are too few configurations, beads, or isolated atoms and nothing else.
    """
    if dataset.beads:
        raise InputError(
            f"{dataset.name}: expected atoms, got beads; docs/extending.md has a campaign for these"
        )
    if len(dataset) < FEWEST:
        raise InputError(
            f"{dataset.name}: expected at least {FEWEST} configurations to train on, to validate "
            f"and to test with, got {len(dataset)}; give more"
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
    return within_budget(choices, size)


def _name(stem: str) -> str:
    """A file's name without what names of datasets cannot have."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", stem).strip("-._")[:64] or "dataset"


def cutoffs(dataset: Dataset, contacts: Contacts, size: Size) -> Cutoffs:
    """Where a model's sensitivities begin and end, from contacts and density.

    Raises:
        InputError: no configuration has two atoms.
    """
    several = np.isfinite(contacts.distance)  # (configurations,)
    if not several.any():
        raise InputError(
            f"{dataset.name}: expected configurations of several atoms, got isolated atoms only; "
            "there is nothing to learn from them"
        )
    radii = np.arange(SHORTEST, LONGEST + 0.05, 0.1)  # (radii,)
    neighbours = np.array([size.within(radius) for radius in radii])  # (radii,)
    enough = radii[neighbours >= NEIGHBOURS]
    radius = enough[0] if len(enough) else LONGEST
    hard_max = min(max(radius, SHELLS * float(np.median(contacts.nearest[several]))), FARTHEST)
    soft_min = max(PART * float(np.quantile(contacts.distance[several], CLOSE)), NEAREST)
    return Cutoffs(round(soft_min, 2), round(hard_max - MARGIN, 1), round(hard_max, 1))


def within_budget(choices: Choices, size: Size) -> Proposal:
    """The campaign with most data, and then most epochs, whose training is within the budget.

    Where none is, the shortest.
    """
    sizing = Sizing.of()
    pool = round(size.configurations * (1 - choices.test - choices.validation))

    def proposal(trained: int, epochs: int) -> Proposal:
        """With so many configurations to train on, and epochs at most."""
        text = campaign_text(
            choices,
            train=None if trained == pool else trained,
            epochs=epochs,
            batch=_batch(size, trained),
        )
        campaign = parse_section(Campaign, yaml.safe_load(text), "proposal")
        return Proposal(text, campaign, _training_time(campaign, size, sizing))

    trained, shortest = pool, proposal(pool, EPOCHS[-1])
    while shortest.seconds > BUDGET and trained // 2 >= FEWEST_TRAINED:
        trained //= 2
        shortest = proposal(trained, EPOCHS[-1])
    longer = (proposal(trained, epochs) for epochs in EPOCHS[:-1])
    return next((each for each in longer if each.seconds <= BUDGET), shortest)


def _batch(size: Size, trained: int) -> int:
    """Configurations in a mini-batch, a power of two."""
    most = min(BATCH_ATOMS * size.configurations / size.atoms, trained / STEPS, BATCH)
    return 2 ** (max(1, int(most)).bit_length() - 1)


def _training_time(campaign: Campaign, size: Size, sizing: Sizing) -> float:
    """What training all its models takes, s on one core."""
    plan, seconds = Plan(campaign), 0.0
    for model in plan.trained:
        job = Job(model, plan.settings)
        job.size = size
        seconds += sizing.kinds["training"].seconds.estimate(train(job).seconds)
    return seconds


def refuse_existing(path: Path) -> None:
    """Raise InputError if there is a file already."""
    if path.exists():
        raise InputError(
            f"{path}: expected no file, found one, which is left as it is; name another by --output"
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
