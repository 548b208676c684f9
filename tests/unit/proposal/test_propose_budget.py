"""Plans: whatever the size of the data, a campaign of minutes that is right."""

from dataclasses import replace

import pytest

from mlipkd.datasets.size import Size
from mlipkd.proposal.propose import BUDGET, within_budget
from mlipkd.proposal.text import Choices, Cutoffs
from mlipkd.readers.ase_file import AseFile

CHOICES = Choices(
    name="data",
    source=AseFile(reader="ase", files=["data.xyz"]),
    guesses=[],
    labels=frozenset({"energy", "forces"}),
    by_group=False,
    test=0.2,
    validation=0.1,
    cutoffs=Cutoffs(0.8, 5.0, 5.5),
    neighbours=50.0,
)


def size(configurations: int, atoms: int) -> Size:
    neighbours = tuple(min(0.4 * radius**3, 1e3) for radius in range(1, 13))
    number = configurations * atoms
    return Size(configurations, number, atoms, 2, True, neighbours, 50 * number)


@pytest.mark.parametrize("labels", [{"energy", "forces"}, {"energy"}, {"energy", "stress"}])
@pytest.mark.parametrize(("configurations", "atoms"), [(30, 3), (1000, 9), (10**6, 20), (500, 60)])
def test_training_is_within_the_budget(labels, configurations, atoms) -> None:
    validation = min(0.1, 250 / configurations)
    choices = replace(CHOICES, labels=frozenset(labels), validation=validation)
    proposal = within_budget(choices, size(configurations, atoms))
    assert 0 < proposal.seconds <= BUDGET
    recipe = proposal.campaign.recipes["reference"]
    assert recipe.optimiser.epochs >= 40
    train = proposal.campaign.datasets["data"].split.train or (0.8 - validation) * configurations
    assert train / recipe.batch.configurations >= min(20, train)


def test_no_control_is_a_teacher() -> None:
    section = within_budget(CHOICES, size(100, 9)).campaign.datasets["data"]
    assert section.seeds("students") == section.seeds("controls")
    assert not set(section.seeds("controls")) & set(section.seeds("teachers"))


def test_small_data_are_used_whole_and_for_long() -> None:
    proposal = within_budget(CHOICES, size(100, 9))
    assert proposal.campaign.datasets["data"].split.train is None
    assert proposal.campaign.recipes["reference"].optimiser.epochs == 200


def test_of_large_data_no_more_are_used_than_time_allows() -> None:
    proposal = within_budget(replace(CHOICES, validation=0.00025), size(10**6, 20))
    assert proposal.campaign.datasets["data"].split.train < 10**4
    assert "without `train` all that are left" in proposal.text


def test_what_is_too_large_in_any_case_is_still_proposed() -> None:
    proposal = within_budget(CHOICES, size(200, 4000))
    assert proposal.seconds > BUDGET
    assert proposal.campaign.recipes["reference"].optimiser.epochs == 40


def test_stress_is_offered_where_it_is_there() -> None:
    labels = frozenset({"energy", "forces", "stress"})
    line = "# - {quantity: stress, labels: reference"
    assert line in within_budget(replace(CHOICES, labels=labels), size(100, 9)).text
    assert line not in within_budget(CHOICES, size(100, 9)).text


def test_many_groups_are_split_by_group() -> None:
    proposal = within_budget(replace(CHOICES, by_group=True), size(100, 9))
    assert proposal.campaign.datasets["data"].split.by == "group"
