"""What families of one dataset take from another's, at any depth, and why they cannot."""

import copy

import pytest

from mlipkd.config.campaign import Campaign
from mlipkd.config.load import ConfigError, parse_section


@pytest.fixture
def families(content) -> tuple[dict, dict]:
    """The families of two datasets: those of the first learn from the second's teachers."""
    datasets = content["datasets"]
    datasets["other"] = copy.deepcopy(datasets["metal"])
    here, there = (datasets[name]["families"] for name in ("metal", "other"))
    del here["students"]
    here["guests"] = {"transferred_from": {"dataset": "other", "family": "students"}}
    return here, there


def faults(content) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        parse_section(Campaign, content, "config.yaml")
    return dict(caught.value.faults)


def test_a_family_of_a_family_of_another_dataset_has_its_models_and_seeds(content, families):
    here, there = families
    here["pupils"] = {"recipe": "distil", "learns_from": "guests"}
    there["returned"] = {"transferred_from": {"dataset": "metal", "family": "pupils"}}
    campaign = parse_section(Campaign, content, "config.yaml")
    metal, other = campaign.datasets["metal"], campaign.datasets["other"]
    for dataset, family in ((metal, "guests"), (metal, "pupils"), (other, "returned")):
        assert dataset.models(family) == other.models("students") != other.models("teachers")
        assert dataset.seeds(family) == other.seeds("teachers") == list(range(8))


def test_families_of_two_datasets_that_stand_on_each_other(content, families):
    here, there = families
    here["pupils"] = {"recipe": "distil", "learns_from": "guests"}
    there["returned"] = {"transferred_from": {"dataset": "metal", "family": "pupils"}}
    there["students"]["learns_from"] = "returned"
    circle = "metal/guests → other/students → other/returned → metal/pupils → metal/guests"
    assert any(circle in fault for fault in faults(content).values())


def test_a_family_of_another_dataset_that_learns_from_nobody_known(content, families):
    families[1]["students"]["learns_from"] = "nobody"
    assert faults(content) == {
        "datasets.other.families.students.learns_from": "wanted one of the families teachers, "
        "students, got 'nobody'"
    }


def test_a_family_of_another_dataset_whose_model_is_incomplete(content, families):
    del content["datasets"]["other"]["model"]["width"]
    families[1]["students"]["model"] = {"l_max": 1}
    assert set(faults(content)) == {
        "datasets.other.families.teachers.model",
        "datasets.other.families.students.model",
    }
