"""The sections of a campaign: datasets, their families, and all that one ``config.yaml`` holds."""

from typing import Annotated, Literal, Self

from pydantic import Field, PositiveInt, StringConstraints, model_validator

from mlipkd.config.functions import CALCULATOR, SEED, Calculator
from mlipkd.config.model import Architecture, ModelGrid
from mlipkd.config.recipe import Recipe
from mlipkd.config.section import Name, Section
from mlipkd.config.simulation import Simulation
from mlipkd.config.split import Split
from mlipkd.evaluation import Evaluations
from mlipkd.readers import AnySource


class Origin(Section):
    """A trained family of another dataset."""

    dataset: Name
    """The dataset that it was trained on."""
    family: Name
    """The name of the family there."""


class Family(Section):
    """Models that share a dataset and a recipe, and differ by architecture and seed.

    Or models that are not trained here, which have no other keys: a calculator, or a family of
    another dataset, to see how well it transfers.
    """

    recipe: Name | None = None
    """Which of the campaign's recipes trains this family."""
    calculator: Calculator | None = None
    """The ASE calculator that labels in place of a trained family."""
    transferred_from: Origin | None = None
    """The family of another dataset with the same weights, which is evaluated here."""
    learns_from: Name | None = None
    """The family whose labels are those of the recipe's `teacher` terms."""
    supervision: Literal["ensemble", "single"] = "ensemble"
    """Whether the mean of all its members teaches, or each seed learns from the teacher of the
    same seed."""
    model: ModelGrid = ModelGrid()
    """Architectures. Missing keys are taken from the dataset's `model`; a family without any has
    those of the family in `learns_from`."""
    seeds: (
        PositiveInt | Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)] | None
    ) = None
    """Number of seeds, or a list of them; those of `learns_from` if left out."""
    together: bool = False
    """Train all seeds of a model in one job and one pass, which is faster for small models."""

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
                f"expected no other key with {given.pop()}, which is not trained here, got "
                f"{', '.join(sorted(others))}; remove it"
            )
        return self

    @model_validator(mode="after")
    def _seeds_differ(self) -> Self:
        if isinstance(self.seeds, list) and len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"expected seeds that differ, got {self.seeds}; keep one of each")
        return self


class DatasetSection(Section):
    """A dataset and its families."""

    source: AnySource
    """Where the configurations come from."""
    split: Split = Split()
    """How they are divided."""
    model: ModelGrid = ModelGrid()
    """What the models of all families have in common."""
    families: Annotated[dict[Name, Family], Field(min_length=1)]
    """The families, by name."""
    evaluations: Evaluations = Evaluations()
    """The evaluations of their models, in addition to errors on the test split."""

    def grid(self, family: str) -> ModelGrid:
        """A family's architectures, with everything that it inherits."""
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

        A family of one model teaches all students; one of several models teaches each student of
        the same architecture.
        """
        teacher = self.families[family].learns_from
        if teacher is None:
            return None
        models = self.models(teacher)
        if len(models) == 1:
            return teacher, models[0]
        return (teacher, model) if model in models else None

    def candidates(self) -> list[str]:
        """The families that may be recommended: those that learn, except the teacher to compare."""
        recommended = self.evaluations.recommended
        return [
            name
            for name, family in self.families.items()
            if family.learns_from and recommended and name != recommended.teacher
        ]


class Download(Section):
    """A file on the web, and its hash."""

    url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s'\"]+$")]
    """Its address."""
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    """Its SHA-256; a file with another one is refused."""


class Sections(Section):
    """All sections of a campaign, which may still contradict each other."""

    downloads: dict[Name, Download] = {}  # noqa: RUF012 (pydantic copies it)
    """Files to fetch, by name; sources and suites refer to them as `downloads/NAME`."""
    simulations: dict[Name, Simulation] = {}  # noqa: RUF012 (pydantic copies it)
    """All-atom simulations to run, by name; sources of the reader `trajectory` refer to them."""
    recipes: Annotated[dict[Name, Recipe], Field(min_length=1)]
    """How families are trained, by name."""
    datasets: Annotated[dict[Name, DatasetSection], Field(min_length=1)]
    """The datasets, by name, each with its families."""
