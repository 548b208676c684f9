"""What an evaluation says about itself, and a figure: all that is made of them follows from this.

Each file of this package declares one ``Evaluation``, and the package lists them. From the list
follow the sections of a campaign (``datasets.NAME.evaluations``), the verbs ``mlipkd evaluate
NAME``, the rules of the workflow, the tables, the figures, and the report. Declarations are read
whenever anything of a campaign is, so files import what computes or draws inside functions.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from mlipkd import paths
from mlipkd.errors import InputError
from mlipkd.evaluation.core.grid import Grid, pivot
from mlipkd.evaluation.core.rows import Source, read_rows
from mlipkd.paths import DatasetPaths, MemberPaths, ModelPaths, Paths

if TYPE_CHECKING:
    import matplotlib.figure


class Plan(Protocol):
    """What declarations ask of a campaign's plan (``campaign/plan.py``)."""

    models: list[ModelPaths]
    trained: list[ModelPaths]
    #: All that have model files, which calculators have not.
    potentials: list[ModelPaths]
    datasets: list[DatasetPaths]

    def section(self, of: Any) -> Any:
        """What the campaign says of the dataset of a path."""

    def family(self, model: ModelPaths) -> Any:
        """What the campaign says of the family of a model."""

    def members_of(self, model: ModelPaths) -> list[MemberPaths]:
        """The members of a model, by their seeds."""

    def model_file(self, member: MemberPaths) -> str:
        """A member's model file, or the settings of a calculator."""

    def compared(self, dataset: str) -> set[str]:
        """The architectures that are trained with a teacher and without one."""


@dataclass(frozen=True)
class Job:
    """One run of an evaluation: what ``mlipkd evaluate NAME`` was given."""

    files: Mapping[str, list[Path]]
    """The inputs and further outputs that the evaluation declares, by name."""
    output: Path
    """The file of rows to write."""
    section: Any = None
    """The evaluation's section of the campaign, if it has one."""
    threads: int = 1
    device: str = "auto"
    runtime: float | None = None
    """Minutes that the job may take."""

    def file(self, name: str) -> Path:
        """The only file of an input or output.

        Raises:
            InputError: several were given.
        """
        first, *others = self.files[name]
        if others:
            raise InputError(
                f"command line: expected one file as {name}, got {1 + len(others)}; give one"
            )
        return first


@dataclass(frozen=True)
class Input:
    """Files that a job reads next to the settings of its evaluation."""

    name: str
    """Of the rule's input and of the verb's option."""
    files: Callable[[Any, Any], str | Sequence[str]]
    """From the plan and from what the job is about."""
    help: str = ""
    """Of the option; empty if the job finds the files by itself, and only the rule names them."""
    several: bool = False
    """Whether they are the verb's arguments, any number of them, rather than an option."""


@dataclass(frozen=True)
class Output:
    """A file or folder that a job writes next to its rows."""

    name: str
    path: Callable[[Any], str]
    """From what the job is about."""
    help: str
    folder: bool = False


def members_of(plan: Plan, about: Any) -> list[MemberPaths]:
    """The members that a job is about: one, or all of a model."""
    return [about] if isinstance(about, MemberPaths) else plan.members_of(about)


def members_of_potentials(plan: Plan) -> list[MemberPaths]:
    """All members of a campaign that have model files."""
    return [member for model in plan.potentials for member in plan.members_of(model)]


def _model_files(plan: Plan, about: Any) -> list[str]:
    return [plan.model_file(member) for member in members_of(plan, about)]


MODELS = Input("models", _model_files, "Model files, or settings of calculators.", several=True)
DATASET = Input("dataset", lambda plan, about: DatasetPaths(about.dataset).data, "Their dataset.")


@dataclass(frozen=True)
class Jobs:
    """Jobs of an evaluation that are alike; a rule of the workflow."""

    about: Paths
    """The kind of what each of them is about: a member, a model or a dataset."""
    of: Callable[[Any], Iterable[Any]]
    """All of these in a plan."""
    rule: str = ""
    """The rule's name, if another than the evaluation's."""


@dataclass(frozen=True)
class Figure:
    """A picture of a dataset."""

    name: str
    title: str
    """What people call it, in the report and in Snakemake's."""
    caption: str
    draw: Callable[..., "matplotlib.figure.Figure"]
    """From the rows of one dataset, the colours of its families, and the figure's options."""
    files: Callable[[Any, DatasetPaths], Sequence[str]] | None = None
    """What it is drawn from, by the plan and the dataset; the figure is not drawn if that is
    nothing. By default its evaluation's table."""
    options: Callable[[Any, DatasetPaths], Mapping[str, str]] = lambda plan, dataset: {}
    """Further arguments of ``draw``, by name."""
    read: Callable[[Path], tuple[Sequence[Any], Source]] = read_rows

    @property
    def option_names(self) -> set[str]:
        """The arguments of ``draw`` in addition to rows and colours."""
        return set(list(inspect.signature(self.draw).parameters)[2:])

    def of_dataset(
        self,
        rows: Sequence[Any],
        dataset: str,
        families: Sequence[str] = (),
        **options: str,
    ) -> "matplotlib.figure.Figure":
        """The picture of one dataset.

        Args:
            rows: that were read, also of other datasets, which are left out.
            dataset: its name.
            families: all of the dataset in the order by which they are coloured; those that it
                leaves out follow in the order of the rows.
            options: further arguments of the figure.

        Raises:
            InputError: there are no rows of the dataset.
        """
        from mlipkd.evaluation.core.axes import colours_of

        rows_of_dataset = [row for row in rows if row.dataset == dataset]
        if not rows_of_dataset:
            known = ", ".join(dict.fromkeys(row.dataset for row in rows)) or "nothing"
            raise InputError(
                f"expected rows of the dataset {dataset!r}, got {known}; name one of these"
            )
        drawn = dict.fromkeys(row.family for row in rows_of_dataset)
        colours = colours_of([*families, *drawn])
        shown = {family: colour for family, colour in colours.items() if family in drawn}
        return self.draw(rows_of_dataset, shown, **options)


@dataclass(frozen=True)
class Evaluation:
    """A question put to members, models or datasets, and what becomes of the answers."""

    name: str
    """Of its section, its verb, its rule and its table."""
    title: str
    """The heading in the report; those that follow each other with the same stand below one."""
    run: Callable[[Job], None]
    """Reads what the job names, and writes its rows. The docstring is the help of the verb."""
    jobs: Sequence[Jobs]
    inputs: Sequence[Input] = ()
    outputs: Sequence[Output] = ()

    section: Any = None
    """The class of its section of the campaign; without one it is made of all datasets."""
    default: Any = None
    """The section, or pydantic field, of campaigns that say nothing."""
    asked_by: str = ""
    """The evaluation whose section asks for this one, too."""
    stem: str = ""
    """Of the names of its files, if another than its name; with names of what a job is about."""

    table: bool = True
    """Whether its rows are collected in a table."""
    curves: bool = False
    """Whether its rows are curves: drawn, thinned in the report, and not in the summary."""
    layout: Callable[[Sequence[Any]], Grid] = pivot
    """How a person reads the rows of one dataset."""
    introduction: Callable[[Any], str] | None = None
    """What stands above the table in the report, by the section; the table is then shown open."""
    missing: str = ""
    """What the report says instead if it was requested and has no rows."""
    figures: Sequence[Figure] = ()

    threads: int = 1
    """CPU threads; 0 for all cores of the run, so that nothing else disturbs it."""
    device: bool = False
    """Whether it computes with models, on a GPU if there is one."""
    resumable: bool = False
    """Whether it stops in time and goes on when it is run again."""
    local: bool = False
    """Whether it is so short that it runs where Snakemake does."""
    work: str = ""
    """That time and memory are estimated by: a rule of ``sizing/work.py`` that it works like."""
    megabytes: int = 1000
    minutes: int = 10
    """What it asks for otherwise; at each further attempt that much more."""

    @property
    def help(self) -> str:
        """What it does, and an example."""
        return inspect.getdoc(self.run) or ""

    def requested(self, evaluations: Any) -> bool:
        """Whether a dataset's evaluations ask for it."""
        by = self.asked_by or (self.name if self.section is not None else "")
        return not by or bool(getattr(evaluations, by))

    def stem_of(self, about: Any) -> str:
        """The name of the files of one job, without their ending."""
        return (self.stem or self.name).format(**vars(about))

    def about(self, plan: Plan) -> list[Any]:
        """What all its jobs in a campaign are about."""
        return [
            about
            for jobs in self.jobs
            for about in jobs.of(plan)
            if self.requested(plan.section(about).evaluations)
        ]

    def rows(self, plan: Plan) -> list[str]:
        """The files of its rows."""
        return [about.rows(self.stem_of(about)) for about in self.about(plan)]

    def drawn(self, plan: Plan, dataset: DatasetPaths) -> dict[str, list[str]]:
        """Its figures of a dataset, and the files that each is drawn from."""
        if not any(about.dataset == dataset.dataset for about in self.about(plan)):
            return {}
        files = {
            figure.name: list(figure.files(plan, dataset))
            if figure.files
            else [paths.table(self.name)]
            for figure in self.figures
        }
        return {name: of for name, of in files.items() if of}
