"""The settings of each job of a campaign that depend on all of it, and how they are written.

Those that training, simulations and calculators read are in ``config/settings.py``.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from mlipkd import paths
from mlipkd.campaign.campaign import Campaign
from mlipkd.config.functions import CALCULATOR
from mlipkd.config.section import Name
from mlipkd.config.settings import (
    CalculatorSettings,
    Settings,
    SimulationSettings,
    TrainSettings,
)
from mlipkd.config.split import Split
from mlipkd.errors import InputError
from mlipkd.evaluation import Evaluations
from mlipkd.paths import DatasetPaths, MemberPaths
from mlipkd.readers import AnySource


class DatasetSettings(Settings):
    """For ``mlipkd dataset``."""

    name: Name
    source: AnySource
    split: Split


class EvaluationSettings(Settings, Evaluations):
    """For ``mlipkd evaluate``: one of the sections is set, and the file holds no other."""

    def to_yaml(self) -> str:
        sections = self.model_dump(mode="json", include=self.model_fields_set)
        return yaml.safe_dump(sections, sort_keys=False, allow_unicode=True)


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
    source = section.source
    if simulation := source.needs_simulation:
        source = source.simulated(campaign.simulations[simulation].temperature)
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


def read_settings(folder: Path) -> dict[str, Settings]:
    """What ``write_settings`` wrote about datasets, trained members and evaluations, by its path.

    Args:
        folder: that the campaign ran in.

    Raises:
        ConfigError: a file has faults.
    """
    settings: dict[str, Settings] = {}
    for file in (folder / paths.RESULTS).rglob(f"*{paths.SETTINGS}"):
        path = file.relative_to(folder).as_posix()
        about = paths.read(path)
        if isinstance(about, MemberPaths) and about.model != CALCULATOR:
            settings[path] = TrainSettings.read(file)
        elif isinstance(about, DatasetPaths):
            kind = DatasetSettings if file.name == paths.SETTINGS else EvaluationSettings
            settings[path] = kind.read(file)
    return settings


def write_settings(settings: Mapping[str, Settings], campaign: str, folder: Path = Path()) -> None:
    """Write those that differ from what is there, so that only a change reruns jobs.

    Args:
        settings: by the path of their file, relative to the folder.
        campaign: the file that they come from, for messages.
        folder: that the campaign runs in.

    Raises:
        InputError: jobs may be reading what is there, as Snakemake holds the folder; nothing is
            written.
    """
    texts = {folder / path: section.to_yaml() for path, section in settings.items()}
    changed = {
        file: text for file, text in texts.items() if not file.is_file() or file.read_text() != text
    }
    overwritten = next((file for file in changed if file.is_file()), None)
    # Snakemake looks at its own locks later, and in a dry run not at all.
    if overwritten and any((folder / ".snakemake/locks").glob("*")):
        raise InputError(
            f"{overwritten}: expected the settings that Snakemake runs with in this folder, or ran "
            f"with when it was killed, got others in {campaign}; wait for it to end, give this "
            "campaign another --directory or, if nothing runs there, snakemake --unlock"
        )
    for file, text in changed.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
        temporary.write_text(text)
        os.replace(temporary, file)
