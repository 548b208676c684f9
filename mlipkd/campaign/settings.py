"""Settings: the part of a campaign that one job needs, as the file its verb reads.

The workflow writes one such file for each job, and only when its content changes; that is what
makes a change of the campaign rerun the jobs it concerns and no others.
"""

from pathlib import Path
from typing import Any, Self

import yaml

from mlipkd.campaign.campaign import Campaign
from mlipkd.config.functions import Calculator
from mlipkd.config.load import load_section
from mlipkd.config.model import Architecture
from mlipkd.config.recipe import Recipe
from mlipkd.config.section import Name, Section
from mlipkd.config.simulation import Simulation
from mlipkd.config.split import Split
from mlipkd.errors import InputError
from mlipkd.evaluation import Evaluations
from mlipkd.readers import AnySource


class Settings(Section):
    """Settings of one job."""

    @classmethod
    def read(cls, path: Path | str) -> Self:
        """Read a settings file; raises InputError with every fault in it."""
        return load_section(cls, path)

    def to_yaml(self) -> str:
        """The settings as the text of a settings file."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


class DatasetSettings(Settings):
    """For ``mlipkd dataset``."""

    name: Name
    source: AnySource
    split: Split


class SimulationSettings(Settings):
    """For ``mlipkd simulate``."""

    name: Name
    simulation: Simulation


class TrainSettings(Settings):
    """For ``mlipkd train``."""

    dataset: Name
    family: Name
    seed: int
    architecture: Architecture
    recipe: Recipe
    split: Split


class CalculatorSettings(Settings):
    """For all verbs that take a model file: they take a calculator's settings in its place."""

    dataset: Name
    family: Name
    calculator: Calculator


class EvaluationSettings(Settings, Evaluations):
    """For ``mlipkd evaluate``: one of the sections is set."""


def read_evaluation(path: Path | str, name: str) -> Any:
    """The section of one evaluation in a settings file.

    Raises:
        InputError: there is none, or the file has faults.
    """
    section = getattr(EvaluationSettings.read(path), name)
    if not section:
        raise InputError(f"{path}: expected the section {name}, found none; add it")
    return section


def dataset_settings(campaign: Campaign, dataset: str) -> DatasetSettings:
    """What making one dataset needs."""
    section = campaign.datasets[dataset]
    source = campaign.with_files(section.source)
    return DatasetSettings(name=dataset, source=source, split=section.split)


def simulation_settings(campaign: Campaign, simulation: str) -> SimulationSettings:
    """What one simulation needs."""
    return SimulationSettings(name=simulation, simulation=campaign.simulations[simulation])


def train_settings(
    campaign: Campaign, dataset: str, family: str, model: str, seed: int
) -> TrainSettings:
    """What training one member needs."""
    section = campaign.datasets[dataset]
    recipe = section.families[family].recipe
    assert recipe is not None  # a calculator is not trained
    return TrainSettings(
        dataset=dataset,
        family=family,
        seed=seed,
        architecture=section.architectures(family)[model],
        recipe=campaign.recipes[recipe],
        split=section.split,
    )


def calculator_settings(campaign: Campaign, dataset: str, family: str) -> CalculatorSettings:
    """What asking the calculator of one family needs."""
    calculator = campaign.datasets[dataset].families[family].calculator
    assert calculator is not None  # the family is not trained
    return CalculatorSettings(dataset=dataset, family=family, calculator=calculator)


def evaluation_settings(campaign: Campaign, dataset: str, evaluation: str) -> EvaluationSettings:
    """What one evaluation needs."""
    section = getattr(campaign.datasets[dataset].evaluations, evaluation)
    return EvaluationSettings(**{evaluation: section})


def own_settings(campaign: Campaign, dataset: str, name: str) -> EvaluationSettings:
    """What one of the user's own evaluations needs."""
    section = campaign.datasets[dataset].evaluations.own[name]
    return EvaluationSettings(**{"own": {name: section}})
