"""The part of a campaign that one job needs: complete, and nothing else."""

import os

import pytest

from mlipkd.campaign import ConfigError
from mlipkd.campaign.campaign import Campaign
from mlipkd.campaign.plan import Plan
from mlipkd.campaign.settings import (
    DatasetSettings,
    EvaluationSettings,
    calculator_settings,
    dataset_settings,
    evaluation_settings,
    own_settings,
    read_settings,
    train_settings,
    write_settings,
)
from mlipkd.config.functions import OwnFunction
from mlipkd.config.settings import CalculatorSettings, SimulationSettings, TrainSettings
from mlipkd.errors import InputError

MODEL = "n1-l0-a2-w4-s4"


def read_back(settings, path):
    path.write_text(settings.to_yaml())
    return type(settings).read(str(path))


def test_survive_their_file(content, tmp_path):
    content["datasets"]["metal"]["evaluations"] = {"cost": {"steps": 7}}
    families = content["datasets"]["metal"]["families"]
    families["oracle"] = {"calculator": {"type": "a.b:C", "options": {"x": [1, {"y": None}]}}}
    campaign = Campaign.model_validate(content)
    for settings in (
        calculator_settings(campaign, "metal", "oracle"),
        dataset_settings(campaign, "metal"),
        train_settings(campaign, "metal", "students", MODEL, 3),
        evaluation_settings(campaign, "metal", "cost"),
    ):
        assert read_back(settings, tmp_path / "settings.yaml") == settings


def test_say_what_the_job_needs(content):
    campaign = Campaign.model_validate(content)
    made = dataset_settings(campaign, "metal")
    assert isinstance(made, DatasetSettings)
    assert (made.name, made.source.reader) == ("metal", "aluminium-emt")
    training = train_settings(campaign, "metal", "students", MODEL, 3)
    assert isinstance(training, TrainSettings)
    assert (training.family, training.seed, training.architecture.width) == ("students", 3, 4)
    assert training.recipe == campaign.recipes["distil"]


def test_know_nothing_of_other_jobs(content):
    member = ("metal", "teachers", "n1-l0-a2-w8-s4", 0)
    before = train_settings(Campaign.model_validate(content), *member)
    content["datasets"]["metal"]["families"]["students"]["model"]["width"] = 16
    content["datasets"]["metal"]["source"]["configurations"] = 7
    content["recipes"]["distil"]["optimiser"] = {"epochs": 3}
    after = train_settings(Campaign.model_validate(content), *member)
    assert after.to_yaml() == before.to_yaml()


def test_broken_file_is_named(tmp_path):
    path = tmp_path / "settings.yaml"
    path.write_text("cost: {steps: 0, stpes: 3}\n")
    with pytest.raises(ConfigError) as caught:
        EvaluationSettings.read(str(path))
    assert [line.split(": ")[:2] for line in str(caught.value).splitlines()] == [
        [str(path), "cost.steps"],
        [str(path), "cost.stpes"],
    ]


def test_are_written_only_where_they_differ(content, tmp_path):
    campaign = Campaign.model_validate(content)
    settings = {
        "results/metal/settings.yaml": dataset_settings(campaign, "metal"),
        "results/metal/a/settings.yaml": train_settings(campaign, "metal", "students", MODEL, 3),
    }
    write_settings(settings, "config.yaml", tmp_path)
    files = {path: tmp_path / path for path in settings}
    assert {path: file.read_text() for path, file in files.items()} == {
        path: section.to_yaml() for path, section in settings.items()
    }
    for file in files.values():
        os.utime(file, (1, 1))
    content["datasets"]["metal"]["source"]["configurations"] = 7
    settings["results/metal/settings.yaml"] = changed = dataset_settings(
        Campaign.model_validate(content), "metal"
    )
    write_settings(settings, "config.yaml", tmp_path)
    assert [file.stat().st_mtime == 1 for file in files.values()] == [False, True]
    assert files["results/metal/settings.yaml"].read_text() == changed.to_yaml()
    assert sorted(tmp_path.rglob(".*")) == []


def test_what_is_written_is_read_again(content, tmp_path):
    plan = Plan(Campaign.model_validate(content))
    write_settings(plan.settings, "config.yaml", tmp_path)
    assert read_settings(tmp_path) == {
        path: section
        for path, section in plan.settings.items()
        if not isinstance(section, CalculatorSettings | SimulationSettings)
    }


def test_that_jobs_may_be_reading_are_left_alone(content, tmp_path):
    path, new = "results/metal/settings.yaml", "results/metal/new/settings.yaml"
    before = dataset_settings(Campaign.model_validate(content), "metal")
    write_settings({path: before}, "config.yaml", tmp_path)
    (tmp_path / ".snakemake/locks").mkdir(parents=True)
    (tmp_path / ".snakemake/locks/0.input.lock").touch()
    write_settings({path: before}, "config.yaml", tmp_path)  # nothing to change
    content["datasets"]["metal"]["source"]["configurations"] = 7
    after = dataset_settings(Campaign.model_validate(content), "metal")
    with pytest.raises(InputError, match=r"got others in other\.yaml; wait for it to end"):
        write_settings({new: after, path: after}, "other.yaml", tmp_path)
    assert (tmp_path / path).read_text() == before.to_yaml()
    assert not (tmp_path / new).exists()
    write_settings({new: after}, "other.yaml", tmp_path)  # which nothing reads yet


def test_own_evaluations_have_settings_each(content) -> None:
    asks = {"function": "asks:f", "options": {"points": [1, 2.5, None]}}
    others = {"function": "asks.others:g"}
    content["datasets"]["metal"]["evaluations"] = {"own": {"bulk": asks, "shear": others}}
    campaign = Campaign.model_validate(content)
    assert own_settings(campaign, "metal", "bulk").own == {"bulk": OwnFunction(**asks)}
    assert own_settings(campaign, "metal", "shear").own["shear"].options == {}
