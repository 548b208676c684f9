"""Benchmarks: what the jobs of a campaign took, and what work they had to do.

Snakemake writes ``logs/…/{rule}.benchmark.tsv`` for each job; what it had to do is in the settings,
sizes, histories and rows that lie in ``results/`` at the same paths.
"""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlipkd.campaign.faults import TAKEN
from mlipkd.campaign.settings import DatasetSettings, read_evaluation
from mlipkd.config.settings import TrainSettings
from mlipkd.distillation.predictions import PredictionsFile
from mlipkd.errors import InputError
from mlipkd.sizing import dynamics, work
from mlipkd.sizing.size import Size
from mlipkd.sizing.work import Work
from mlipkd.training.history import read_history

ENDING = ".benchmark.tsv"
#: Folders of ``logs/`` whose files are called by what the job makes, and the rules.
NAMED = {"figures": "figure", "tables": "collect"}
#: Snakemake 9 looks at a job every half a second for so many seconds, then every 30 seconds.
OFTEN, SELDOM = 15.5, 30.0
#: Where the rows stand that say whether dynamics came to their end.
DYNAMICS = {"stability": "stability.csv", "liquid": "liquid.csv", "rdf": "seed*/liquid.csv"}


@dataclass(frozen=True)
class Benchmark:
    """What one job took."""

    campaign: str
    work: Work
    seconds: float
    """Of one core: those of all its threads together, which other jobs beside it do not change."""
    megabytes: float
    """At its peak, with what processes share divided among them."""


def rule_of(path: Path) -> str:
    """The rule of a job whose log or benchmark has a path below ``logs/``."""
    return NAMED.get(path.parts[0]) or path.name.partition(".")[0]


def read_benchmarks(folder: Path) -> list[Benchmark]:
    """The benchmarks of a campaign that ran in a folder, but for jobs that always take little.

    Left out are trainings that were resumed, dynamics that did not come to their end, and jobs so
    short that Snakemake could measure nothing.

    Raises:
        InputError: there are none, or what a job had to do is not there.
    """
    found = list(_benchmarks(folder))
    if not found:
        raise InputError(
            f"{folder}: expected benchmarks of a campaign that ran here, found none below "
            f"{folder / 'logs'}; give the folder that holds its logs/ and results/"
        )
    return found


def _benchmarks(folder: Path) -> Iterator[Benchmark]:
    for file in sorted((folder / "logs").rglob(f"*{ENDING}")):
        path = file.relative_to(folder / "logs")
        rule, place = rule_of(path), path.parent
        (row,) = csv.DictReader(file.read_text().splitlines(), delimiter="\t")
        if rule not in RULES or place.parts[0] in TAKEN or row["max_pss"] in ("NA", "0.00"):
            continue
        job = Job(folder, place)
        if job.cut_short(rule):
            continue
        try:
            had_to_do = RULES[rule](job)
        except FileNotFoundError as error:
            raise InputError(
                f"{file}: expected {error.filename}, which says what the job had to do, found "
                "none; run the campaign to its end, or remove the logs that are not its own"
            ) from error
        yield Benchmark(folder.name, had_to_do, _cpu_seconds(row), float(row["max_pss"]))


class Job:
    """A job that was done, by what it left behind."""

    def __init__(self, folder: Path, place: Path) -> None:
        self.folder, self.place = folder, place
        self.results = folder / "results" / place
        self.dataset = folder / "results" / place.parts[0]

    def cut_short(self, rule: str) -> bool:
        """Whether it was resumed, or dynamics that it is about failed before their end."""
        if rule == "train":
            log = self.folder / "logs" / self.place / "train.log"
            return log.is_file() and "resuming after" in log.read_text()
        if rule not in DYNAMICS:
            return False
        rows = [row for file in self.results.glob(DYNAMICS[rule]) for row in _rows(file)]
        return any(row["metric"].endswith("failed") and float(row["value"]) for row in rows)

    def size(self) -> Size:
        """The size of its dataset."""
        return Size.read(self.dataset / "size.json")

    def made(self) -> DatasetSettings:
        """How its dataset was made."""
        return DatasetSettings.read(_there(self.dataset / "settings.yaml"))

    def bytes(self, files: list[str]) -> int:
        """Of files whose paths count from the campaign's folder."""
        return sum((self.folder / file).stat().st_size for file in files)

    def evaluation(self, name: str) -> Any:
        """A section of the dataset's evaluations."""
        return read_evaluation(_there(self.dataset / f"{name}.settings.yaml"), name)

    def is_of_calculator(self) -> bool:
        """Whether it asked a calculator."""
        return "calculator" in self.place.parts

    def members(self) -> list[Path]:
        """The settings of the members that it was of."""
        own = self.results / "settings.yaml"
        return [own] if own.is_file() else sorted(self.results.glob("seed*/settings.yaml"))

    def trained(self) -> list[TrainSettings]:
        """The same, read."""
        if not (members := self.members()):
            raise FileNotFoundError(2, "no such file", str(self.results / "settings.yaml"))
        return [TrainSettings.read(member) for member in members]


def _dataset(job: Job) -> Work:
    source = job.made().source
    return work.dataset(source, job.bytes(source.paths))


def _train(job: Job) -> Work:
    histories = [_there(own.with_name("history.jsonl")) for own in job.members()]
    epochs = max(len(read_history(history)[0]) for history in histories)
    return work.train(job.size(), job.trained(), epochs)


def _predict(job: Job) -> Work:
    size = job.size()
    with PredictionsFile(_there(job.results / "predictions.h5")) as predictions:
        hessians = "hessian" in predictions.quantities
    if job.is_of_calculator():
        return work.calculate(size.atoms, hessians * size.atoms / size.configurations)
    return work.predict(size, job.trained()[0].architecture, hessians)


def _merge(job: Job) -> Work:
    return work.merge(job.size(), len(job.members()))


def _errors(job: Job) -> Work:
    size, made = job.size(), job.made()
    hessians = made.source.has_hessians
    if job.is_of_calculator():
        tested = work.tested(size, made.split)
        return work.calculate(tested, hessians * size.atoms / size.configurations)
    members = job.trained()
    return work.errors(size, made.split, members[0].architecture, len(members), hessians)


def _comp6(job: Job) -> Work:
    suites = job.evaluation("comp6").suites.values()
    size = job.bytes([file for suite in suites for file in suite.files])
    if job.is_of_calculator():
        return work.calculate(size / work.COMP6_ATOM)
    members = job.trained()
    return work.comp6(job.size(), size, members[0].architecture, len(members))


def _stability(job: Job) -> Work:
    members = job.trained()
    section = job.evaluation("stability")
    return dynamics.stability(job.size(), section, members[0].architecture, len(members))


def _liquid(job: Job) -> Work:
    section = job.evaluation("liquid")
    return dynamics.liquid(job.size(), section, job.trained()[0].architecture)


def _rdf(job: Job) -> Work:
    liquid = job.evaluation("liquid")
    section = job.evaluation("rdf")
    return dynamics.rdf(job.size(), liquid, section, len(job.members()))


def _cost(job: Job) -> Work:
    timed = {
        (row["family"], row["model"], row["seed"])
        for row in _rows(_there(job.results / "cost.csv"))
    }
    shapes = {
        TrainSettings.read(job.dataset / family / model / f"seed{seed}/settings.yaml").architecture
        for family, model, seed in timed
    }
    return dynamics.cost(job.size(), job.evaluation("cost"), list(shapes))


#: What the jobs of each rule had to do.
RULES: dict[str, Callable[[Job], Work]] = {
    "dataset": _dataset,
    "train": _train,
    "predict": _predict,
    "merge": _merge,
    "errors": _errors,
    "comp6": _comp6,
    "stability": _stability,
    "liquid": _liquid,
    "rdf": _rdf,
    "cost": _cost,
}


def _cpu_seconds(row: dict[str, str]) -> float:
    """CPU time, with the same load from when Snakemake last looked to the end."""
    lasted = float(row["s"])
    looked = OFTEN + SELDOM * ((lasted - OFTEN) // SELDOM) if lasted > OFTEN else lasted
    return float(row["cpu_time"]) * lasted / looked


def _rows(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(file.read_text().splitlines()))


def _there(file: Path) -> Path:
    if not file.is_file():
        raise FileNotFoundError(2, "no such file", str(file))
    return file
