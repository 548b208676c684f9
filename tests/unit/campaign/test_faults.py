"""What families of one dataset take from another's, at any depth, and why they cannot."""

import copy

import pytest

from mlipkd.campaign.campaign import Campaign
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
        "datasets.other.families.students.learns_from": "expected one of the families teachers, "
        "students, got 'nobody'"
    }


def test_a_family_of_another_dataset_whose_model_is_incomplete(content, families):
    del content["datasets"]["other"]["model"]["width"]
    families[1]["students"]["model"] = {"l_max": 1}
    assert set(faults(content)) == {
        "datasets.other.families.teachers.model",
        "datasets.other.families.students.model",
    }


def test_nobody_is_tested_on_what_it_was_trained_on(content, families):
    """Two datasets may have the same configurations if they divide them the same way."""
    metal, other = content["datasets"]["metal"], content["datasets"]["other"]
    place = "datasets.metal.families.guests.transferred_from.dataset"
    assert parse_section(Campaign, content, "config.yaml")
    other["split"] = {"validation": 0.2, "train": 10}
    assert parse_section(Campaign, content, "config.yaml")
    other["split"] = {"seed": 1}
    assert "expected data to train on that 'metal' does not test on" in faults(content)[place]
    other["source"] = {"reader": "aluminium-emt", "seed": 1}
    assert parse_section(Campaign, content, "config.yaml")

    xyz = {"reader": "ase", "files": ["a.xyz", "b.xyz"]}
    metal["source"], other["source"] = xyz, xyz | {"files": ["b.xyz", "c.xyz"]}
    assert place in faults(content)
    other["source"] = xyz | {"files": ["c.xyz"]}
    assert parse_section(Campaign, content, "config.yaml")


def test_a_pool_keeps_the_splits_of_its_datasets(content, families):
    datasets = content["datasets"]
    datasets["other"]["split"] = {"seed": 1}
    pool = {"reader": "pooled", "datasets": ["other", "third"]}
    datasets["third"] = copy.deepcopy(datasets["other"])
    datasets["third"]["source"]["seed"] = 1
    datasets["pool"] = {**copy.deepcopy(datasets["other"]), "source": pool}
    del datasets["pool"]["split"]
    families[0]["guests"]["transferred_from"]["dataset"] = "pool"
    assert list(faults(content)) == ["datasets.metal.families.guests.transferred_from.dataset"]
    datasets["metal"]["split"] = {"seed": 1}
    assert parse_section(Campaign, content, "config.yaml")
