"""Settings: the part of a campaign that one job needs, as the file its verb reads.

The workflow writes one such file for each job, and only when its content changes; that is what
makes a change of the campaign rerun the jobs it concerns and no others.
"""

from pathlib import Path
from typing import Self

import yaml

from mlipkd.config.functions import Calculator
from mlipkd.config.load import load_section
from mlipkd.config.model import Architecture
from mlipkd.config.recipe import Recipe
from mlipkd.config.section import Name, Section
from mlipkd.config.simulation import Simulation
from mlipkd.config.split import Split


class Settings(Section):
    """Settings of one job."""

    @classmethod
    def read(cls, path: Path | str) -> Self:
        """Read a settings file.

        Raises:
            ConfigError: with every fault in it.
        """
        return load_section(cls, path)

    def to_yaml(self) -> str:
        """The text of a settings file."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


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
