"""The campaign: everything one ``config.yaml`` holds, and the graph of families it describes."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, PositiveInt, StringConstraints, model_validator

from mlipkd.campaign.faults import faults, faults_of_origins, transfer
from mlipkd.config.functions import CALCULATOR, SEED, Calculator
from mlipkd.config.load import load_section
from mlipkd.config.model import Architecture, ModelGrid
from mlipkd.config.recipe import Recipe
from mlipkd.config.section import Faults, Name, Section
from mlipkd.config.simulation import Simulation
from mlipkd.config.split import Split
from mlipkd.evaluation import Evaluations
from mlipkd.readers import AnySource


class Origin(Section):
    """A trained family of another dataset."""

    dataset: Name
    """The dataset that it is trained on."""
    family: Name
    """Its name there."""


class Family(Section):
    """Models that share a dataset and a recipe, and differ by architecture and seed.

    Or models that are not trained here, beside which no other key may stand: a calculator, or a
    family of another dataset, to see what of it transfers.
    """

    recipe: Name | None = None
    """Which of the campaign's recipes trains this family."""
    calculator: Calculator | None = None
    """The ASE calculator that labels in place of a trained family."""
    transferred_from: Origin | None = None
    """The family of another dataset whose models these are: same weights, asked anew here."""
    learns_from: Name | None = None
    """The family whose labels the recipe's `teacher` terms compare with."""
    supervision: Literal["ensemble", "single"] = "ensemble"
    """Whether the mean of all its members teaches, or each seed has the teacher of its own seed."""
    model: ModelGrid = ModelGrid()
    """Architectures; keys that are left out come from the dataset's `model`, and those of a family
    that leaves out all, from the family in `learns_from`."""
    seeds: (
        PositiveInt | Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)] | None
    ) = None
    """How many seeds, or which; as many as `learns_from` if left out."""
    together: bool = False
    """Train all seeds of a model in one job and one pass; small models train faster so."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        kinds = {"recipe", "calculator", "transferred_from"}
        given = {kind for kind in kinds if getattr(self, kind) is not None}
        if len(given) != 1:
            raise ValueError(
                "expected a recipe, a calculator or transferred_from; give exactly one of them"
            )
        if given != {"recipe"} and (others := self.model_fields_set - kinds):
            raise ValueError(
                f"expected nothing beside {given.pop()}, which is not trained here, got "
                f"{', '.join(sorted(others))}; remove it"
            )
        return self

    @model_validator(mode="after")
    def _seeds_differ(self) -> Self:
        if isinstance(self.seeds, list) and len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"expected seeds that differ, got {self.seeds}; keep one of each")
        return self


class DatasetSection(Section):
    """A dataset and the families that stand on it."""

    source: AnySource
    """Where the configurations come from."""
    split: Split = Split()
    """How they are divided."""
    model: ModelGrid = ModelGrid()
    """What the models of all families have in common."""
    families: Annotated[dict[Name, Family], Field(min_length=1)]
    """The families, by name."""
    evaluations: Evaluations = Evaluations()
    """What is asked of them beside the errors on the test split."""

    def grid(self, family: str) -> ModelGrid:
        """A family's architectures with everything filled in that is inherited."""
        section = self.families[family]
        grid = section.model
        if section.learns_from and not section.model.model_dump(exclude_none=True):
            grid = self.grid(section.learns_from)
        return grid.over(self.model)

    def architectures(self, family: str) -> dict[str, Architecture]:
        """A family's architectures by name."""
        return {shape.name: shape for shape in self.grid(family).architectures()}

    def models(self, family: str) -> list[str]:
        """The names of a family's models: of its architectures, or of its calculator."""
        if self.families[family].calculator:
            return [CALCULATOR]
        return list(self.architectures(family))

    def seeds(self, family: str) -> list[int]:
        """A family's seeds."""
        section = self.families[family]
        if section.calculator:
            return [SEED]
        if section.seeds is None:
            if section.learns_from is None:
                return [0]
            return self.seeds(section.learns_from)
        return section.seeds if isinstance(section.seeds, list) else list(range(section.seeds))

    def teacher_of(self, family: str, model: str) -> tuple[str, str] | None:
        """The family and model that label the data for one model of a family.

        A family of one model teaches all; one of several teaches each student of the same shape.
        """
        teacher = self.families[family].learns_from
        if teacher is None:
            return None
        models = self.models(teacher)
        if len(models) == 1:
            return teacher, models[0]
        return (teacher, model) if model in models else None

    def candidates(self) -> list[str]:
        """The families that may be recommended: all that learn, but for their measure."""
        wanted = self.evaluations.recommended
        return [
            name
            for name, family in self.families.items()
            if family.learns_from and wanted and name != wanted.teacher
        ]


class Download(Section):
    """A file of the web, and what it must be."""

    url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s'\"]+$")]
    """Where it is."""
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    """Its SHA-256; a file of any other is refused."""


class Campaign(Section):
    """One campaign."""

    downloads: dict[Name, Download] = {}  # noqa: RUF012 (pydantic copies it)
    """Files to fetch, by name: `downloads/NAME` is what sources and suites call them."""
    simulations: dict[Name, Simulation] = {}  # noqa: RUF012 (pydantic copies it)
    """Simulations of all atoms to make, by name; sources of the reader `trajectory` name them."""
    recipes: Annotated[dict[Name, Recipe], Field(min_length=1)]
    """How families are trained, by name."""
    datasets: Annotated[dict[Name, DatasetSection], Field(min_length=1)]
    """The datasets, by name, each with the families that stand on it."""

    @model_validator(mode="after")
    def _families_fit_together(self) -> Self:
        if found := list(faults_of_origins(self)):
            raise Faults(found)
        transfer(self)
        if found := list(faults(self)):
            raise Faults(found)
        return self


def load_campaign(path: Path | str) -> Campaign:
    """Read and check a campaign.

    Raises:
        ConfigError: with every fault found, each with its YAML path.
    """
    return load_section(Campaign, path)
