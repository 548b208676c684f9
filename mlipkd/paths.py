"""Paths: where a campaign keeps what, in one grammar that is written and read here.

    downloads/{download}
    results/simulations/{simulation}/…               settings, topology, trajectory
    results/{dataset}/…                              data, its size, settings of evaluations, rows
    results/{dataset}/{family}/{model}/…             labels of all members together, rows
    results/{dataset}/{family}/{model}/ensemble/…    what all members sample together
    results/{dataset}/{family}/{model}/seed{seed}/…  settings, weights, history, labels, rows
    results/tables/{table}.csv
    results/figures/{dataset}/{figure}.svg
    results/recommended/{dataset}
    results/summary.md, results/report.html

The log and the benchmark of the job that makes these have the same paths below logs/, with the name
of the rule. All paths are relative to the folder that the campaign runs in. Names that are left out
are Snakemake's wildcards, as they stand above.
"""

import re
from dataclasses import dataclass, fields
from pathlib import PurePath
from types import SimpleNamespace
from typing import Any, Self

RESULTS, LOGS = "results", "logs"
#: Folders of results/ that no dataset may be named like.
RESERVED = ("figures", "recommended", "simulations", "tables")
#: The rules whose logs are called by what the job makes, by the folder of these.
RULES = {"downloads": "fetch", "figures": "figure", "tables": "collect"}
#: Folders of logs/ that are not about one campaign's jobs.
OF_CLUSTERS = ("slurm", "slurm-check")
LOG, BENCHMARK, SETTINGS = ".log", ".benchmark.tsv", "settings.yaml"

SUMMARY = f"{RESULTS}/summary.md"
REPORT = f"{RESULTS}/report.html"


def download(name: str = "{download}") -> str:
    """A file that is fetched."""
    return f"downloads/{name}"


def table(name: str = "{table}") -> str:
    """A table, of the rows of all models."""
    return f"{RESULTS}/tables/{name}.csv"


def log(job: str) -> str:
    """The log of a job, by what it is about and its rule."""
    return f"{LOGS}/{job}{LOG}"


def benchmark(job: str) -> str:
    """What Snakemake measured of it."""
    return f"{LOGS}/{job}{BENCHMARK}"


@dataclass(frozen=True)
class Paths:
    """The files about one thing, which lie in one folder."""

    @property
    def name(self) -> str:
        """The folder below results/ and below logs/."""
        raise NotImplementedError

    @classmethod
    def of(cls, names: Any) -> Self:
        """Those that an object with the same attributes names, such as a job's wildcards."""
        return cls(*(getattr(names, field.name) for field in fields(cls)))

    @property
    def folder(self) -> str:
        return f"{RESULTS}/{self.name}"

    def file(self, name: str) -> str:
        return f"{self.folder}/{name}"

    @property
    def settings(self) -> str:
        """The part of the campaign that concerns the job that makes the others."""
        return self.file(SETTINGS)

    def rows(self, evaluation: str) -> str:
        """What an evaluation says about this: rows of a table."""
        return self.file(f"{evaluation}.csv")

    def log(self, rule: str) -> str:
        return log(f"{self.name}/{rule}")

    def benchmark(self, rule: str) -> str:
        return benchmark(f"{self.name}/{rule}")

    def rule(self, verb: str) -> str:
        """The name of a rule whose only job is to do this here."""
        return f"{verb}_{self.name}".replace("/", "_")


@dataclass(frozen=True)
class SimulationPaths(Paths):
    """A simulation of all atoms, of which datasets are made."""

    simulation: str = "{simulation}"

    @property
    def name(self) -> str:
        return f"simulations/{self.simulation}"

    @property
    def topology(self) -> str:
        return self.file("topology.tpr")

    @property
    def trajectory(self) -> str:
        return self.file("trajectory.trr")


@dataclass(frozen=True)
class DatasetPaths(Paths):
    """A dataset."""

    dataset: str = "{dataset}"

    @property
    def name(self) -> str:
        return self.dataset

    @property
    def data(self) -> str:
        """Its configurations and reference labels."""
        return self.file("dataset.h5")

    @property
    def size(self) -> str:
        """How large it is, by which later jobs ask for memory and time."""
        return self.file("size.json")

    def settings_of(self, evaluation: str) -> str:
        """What the campaign says of one evaluation of this dataset's models."""
        return self.file(f"{evaluation}.{SETTINGS}")

    def figure(self, figure: str = "{figure}") -> str:
        return f"{RESULTS}/figures/{self.dataset}/{figure}.svg"

    @property
    def recommended(self) -> str:
        """The folder of the models that are recommended."""
        return f"{RESULTS}/recommended/{self.dataset}"


@dataclass(frozen=True)
class ModelPaths(Paths):
    """All members of one model, which is an architecture of a family."""

    dataset: str = "{dataset}"
    family: str = "{family}"
    model: str = "{model}"

    @property
    def name(self) -> str:
        return f"{self.dataset}/{self.family}/{self.model}"

    @property
    def data(self) -> str:
        """The dataset as its members' mean labelled it."""
        return self.file("augmented.h5")

    @property
    def manifest(self) -> str:
        """Who labelled it."""
        return self.file("manifest.json")

    def frames(self, evaluation: str) -> str:
        """What was sampled for an evaluation."""
        return self.file(f"{evaluation}.h5")

    @property
    def ensemble(self) -> "EnsemblePaths":
        return EnsemblePaths(self.dataset, self.family, self.model)

    def member(self, seed: int | str = "{seed}") -> "MemberPaths":
        return MemberPaths(self.dataset, self.family, self.model, seed)


@dataclass(frozen=True)
class EnsemblePaths(ModelPaths):
    """What all members of a model sample together."""

    @property
    def name(self) -> str:
        return f"{super().name}/ensemble"


@dataclass(frozen=True)
class MemberPaths(ModelPaths):
    """One member of a model; `data` and `manifest` are of labels that only this member gives."""

    seed: int | str = "{seed}"

    @classmethod
    def of(cls, names: Any) -> Self:
        return cls(names.dataset, names.family, names.model, int(names.seed))

    @property
    def name(self) -> str:
        return f"{super().name}/seed{self.seed}"

    @property
    def weights(self) -> str:
        """The model file."""
        return self.file("model.safetensors")

    @property
    def history(self) -> str:
        """What training said of each epoch."""
        return self.file("history.jsonl")

    @property
    def predictions(self) -> str:
        """What it labels the dataset with."""
        return self.file("predictions.h5")


#: What has a folder, the deepest first.
KINDS: tuple[type[Paths], ...] = (
    MemberPaths,
    EnsemblePaths,
    ModelPaths,
    SimulationPaths,
    DatasetPaths,
)


def read(path: str | PurePath) -> Paths | None:
    """What a file of results/ or logs/ is about; None, if about a whole campaign or a cluster.

    Raises:
        ValueError: it is in neither of these folders.
    """
    root, *folders, _ = PurePath(path).parts
    if root not in (RESULTS, LOGS):
        raise ValueError(f"expected a path below {RESULTS}/ or {LOGS}/, got {path}")
    general = RESERVED if root == RESULTS else (*RESERVED, *RULES, *OF_CLUSTERS)
    for kind in KINDS:
        pattern = kind().name.replace("{seed}", r"(?P<seed>\d+)")
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern)
        if names := re.fullmatch(pattern, "/".join(folders)):
            if names.groupdict().get("dataset") in general:
                return None
            return kind.of(SimpleNamespace(**names.groupdict()))
    return None


def is_of_cluster(log: str | PurePath) -> bool:
    """Whether a log is about a cluster, and of no job of a campaign."""
    return PurePath(log).parts[1] in OF_CLUSTERS


def benchmark_of(log: str) -> str:
    """The benchmark of the job whose log this is."""
    return log.removesuffix(LOG) + BENCHMARK


def rule_of(log: str | PurePath) -> str:
    """The rule of the job whose log, or benchmark, this is."""
    parts = PurePath(log).parts
    return RULES.get(parts[1]) or parts[-1].partition(".")[0]
