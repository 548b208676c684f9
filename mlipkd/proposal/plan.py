"""The plan: as much data and as many epochs as minutes allow, counted as the workflow counts."""

from dataclasses import dataclass
from pathlib import Path

import yaml

import mlipkd
from mlipkd.config.campaign import Campaign
from mlipkd.config.load import parse_section
from mlipkd.config.settings import train_settings
from mlipkd.errors import InputError
from mlipkd.proposal.text import Choices, campaign_text
from mlipkd.sizing import work
from mlipkd.sizing.estimate import Sizing
from mlipkd.sizing.size import Size

#: What all training together may take on one core, s, by estimates that a busy machine takes up to
#: twice as long as. The rest of ten minutes on two cores is for labels, errors and starting.
BUDGET = 450.0
#: Epochs at most, from what a small dataset gets down to what a large one must have.
EPOCHS = (200, 150, 120, 100, 80, 60, 40)
#: Fewer configurations to train on would not be halved again.
FEWEST = 50
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
    while shortest.seconds > BUDGET and train // 2 >= FEWEST:
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
            f"{path}: wanted the file that jobs are sized by, found none; run mlipkd from its "
            "checkout, as campaigns are, by make install"
        )
    return Sizing.read(path)
