"""The plan: as much data and as many epochs as minutes allow, counted as the workflow counts.

Proposing a campaign for a dataset, and writing it where nothing is overwritten.
"""

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

import mlipkd
from mlipkd.campaign.campaign import Campaign
from mlipkd.campaign.settings import train_settings
from mlipkd.checks.check import Report
from mlipkd.config.load import parse_section
from mlipkd.datasets.dataset import Dataset
from mlipkd.errors import InputError
from mlipkd.proposal.text import Choices, campaign_text, cutoffs
from mlipkd.proposal.units import Guess
from mlipkd.readers import AnySource
from mlipkd.sizing import work
from mlipkd.sizing.estimate import Sizing
from mlipkd.sizing.size import Size, measure

#: What all training together may take on one core, s, by estimates that a busy machine takes up to
#: twice as long as. The rest of ten minutes on two cores is for labels, errors and starting.
BUDGET = 450.0
#: Epochs at most, from what a small dataset gets down to what a large one must have.
EPOCHS = (200, 150, 120, 100, 80, 60, 40)
#: Fewer configurations to train on would not be halved again.
FEWEST_EPOCHS = 50
#: Atoms in a mini-batch, about, configurations at most, and mini-batches in an epoch at least.
BATCH_ATOMS, BATCH, STEPS = 200, 32, 20


@dataclass(frozen=True)
class Plan:
    """A campaign as text, and what its training will take."""

    text: str
    campaign: Campaign
    seconds: float
    """On one core, by ``workflow/sizing.yaml``."""


def plan(choices: Choices, size: Size) -> Plan:
    """The campaign with most data, and then most epochs, whose training is within the budget.

    Where none is, the shortest.

    Raises:
        InputError: the checkout's ``workflow/sizing.yaml`` is not there.
    """
    sizing = _sizing()
    pool = round(size.configurations * (1 - choices.test - choices.validation))
    train, shortest = pool, _with(choices, size, sizing, pool, EPOCHS[-1])
    while shortest.seconds > BUDGET and train // 2 >= FEWEST_EPOCHS:
        train //= 2
        shortest = _with(choices, size, sizing, train, EPOCHS[-1])
    longer = (_with(choices, size, sizing, train, epochs) for epochs in EPOCHS[:-1])
    return next((found for found in longer if found.seconds <= BUDGET), shortest)


def _with(choices: Choices, size: Size, sizing: Sizing, train: int, epochs: int) -> Plan:
    """The campaign with so many configurations to train on, and epochs."""
    pool = round(size.configurations * (1 - choices.test - choices.validation))
    text = campaign_text(
        choices,
        train=None if train == pool else train,
        epochs=epochs,
        batch=_batch(size, train),
    )
    campaign = parse_section(Campaign, yaml.safe_load(text), "proposal")
    return Plan(text, campaign, _training(campaign, choices.name, size, sizing))


def _batch(size: Size, train: int) -> int:
    """Configurations in a mini-batch, a power of two."""
    wanted = min(BATCH_ATOMS * size.configurations / size.atoms, train / STEPS, BATCH)
    return 2 ** (max(1, int(wanted)).bit_length() - 1)


def _training(campaign: Campaign, dataset: str, size: Size, sizing: Sizing) -> float:
    section, total = campaign.datasets[dataset], 0.0
    for family in section.families:
        for model in section.models(family):
            members = [
                train_settings(campaign, dataset, family, model, seed)
                for seed in section.seeds(family)
            ]
            total += sizing.kinds["training"].seconds.estimate(work.train(size, members).seconds)
    return total


def _sizing() -> Sizing:
    path = Path(mlipkd.__file__).parents[1] / "workflow" / "sizing.yaml"
    if not path.is_file():
        raise InputError(
            f"{path}: expected the file that jobs are sized by, found none; run mlipkd from its "
            "checkout, as campaigns are, by make install"
        )
    return Sizing.read(path)


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
    return plan(choices, size)


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


def _name(stem: str) -> str:
    """A file's name without what names of datasets cannot have."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", stem).strip("-._")[:64] or "dataset"
