"""The fit: what each unit of work takes, by the benchmarks of campaigns that ran.

Snakemake writes ``logs/…/{rule}.benchmark.tsv`` for each job; its work follows from the settings
and sizes in ``results/``. Non-negative least squares of relative residuals give the costs c:

    minimise Σ_b (1 − Σ_u c_u w_bu / y_b)²,  c_u ≥ c⁰_u

over benchmarks b, with w the units of work and y what was observed. Short jobs do not show what
many of a small thing take, and it must not count for nothing where there are very many: c⁰ is the
least that a unit takes. (C. L. Lawson, R. J. Hanson, Solving Least Squares Problems, 1974, ch. 23.)
"""

import contextlib
import csv
import math
import platform
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls

from mlipkd import paths
from mlipkd.campaign.settings import read_settings
from mlipkd.errors import InputError
from mlipkd.paths import Paths
from mlipkd.sizing.estimate import SAFETY, Fit, KindOfJob, Sizing
from mlipkd.sizing.work import WORK, Job, Work
from mlipkd.training.history import read_history

#: Snakemake 9 looks at a job every half a second for so many seconds, then every 30 seconds.
OFTEN, SELDOM = 15.5, 30.0
#: The least that a unit takes. Of time: in a second a core lists ten million neighbours, has 10¹⁰
#: multiplications, and labels five million atoms. Of memory: arrays take their own bytes.
LEAST = {"calls": 2e-7, "pairs": 1e-7, "multiplied": 1e-10, "data": 1.0, "batch": 1.0}
HEAD = """\
| {} | jobs | time | of what is asked for | memory | of what is asked for |
| --- | --- | --- | --- | --- | --- |"""
INTRODUCTION = """\
# Sizing

Written by `mlipkd fit-sizing` from benchmarks on {processor}, of the campaigns {campaigns}.
Of CPU time and of memory: observed over estimated, smallest, median and largest; and the largest
part that a job took of what the workflow asks for.
"""


class Benchmark(NamedTuple):
    """What one job took."""

    campaign: str
    work: Work
    seconds: float  # of one core: those of all its threads together
    megabytes: float  # at its peak, with what processes share divided among them


def read_benchmarks(folder: Path) -> list[Benchmark]:
    """The benchmarks of a campaign that ran in a folder, of the rules whose work is counted.

    Left out are trainings that were resumed, dynamics that did not come to their end, and jobs so
    short that Snakemake could measure nothing.

    Raises:
        InputError: there are none, or what a job had to do is not there.
    """
    settings, benchmarks = read_settings(folder), []
    for file in sorted((folder / paths.LOGS).rglob(f"*{paths.BENCHMARK}")):
        path = file.relative_to(folder)
        rule, about = paths.rule_of(path), paths.read(path)
        (row,) = csv.DictReader(file.read_text().splitlines(), delimiter="\t")
        if not about or rule not in WORK or row["max_pss"] in ("NA", "0.00"):
            continue
        if _cut_short(folder, about, rule):
            continue
        try:
            work = WORK[rule](Job(about, settings, folder, _epochs(folder, about)))
        except (FileNotFoundError, KeyError) as error:
            missing = error.args[0] if isinstance(error, KeyError) else error.filename
            raise InputError(
                f"{file}: expected {missing}, which says what the job had to do, found none; run "
                "the campaign to its end, or remove the logs that are not its own"
            ) from error
        benchmarks.append(Benchmark(folder.name, work, _cpu_seconds(row), float(row["max_pss"])))
    if not benchmarks:
        raise InputError(
            f"{folder}: expected benchmarks of a campaign that ran here, found none below "
            f"{folder / paths.LOGS}; give the folder that holds its logs/ and results/"
        )
    return benchmarks


def _cut_short(folder: Path, about: Paths, rule: str) -> bool:
    """Whether a training was resumed, or dynamics failed before their end."""
    log, rows = folder / about.log(rule), folder / about.rows(rule)
    if log.is_file() and "resuming after" in log.read_text():
        return True
    lines = csv.DictReader(rows.read_text().splitlines() if rows.is_file() else [])
    return any(line["metric"].endswith("failed") and float(line["value"]) for line in lines)


def _epochs(folder: Path, about: Paths) -> int | None:
    """How many training took, the longest of members that trained together; None without any."""
    histories = (folder / about.folder).rglob("history.jsonl")
    return max((len(read_history(history)[0]) for history in histories), default=None)


def _cpu_seconds(row: dict[str, str]) -> float:
    """CPU time, with the same load from when Snakemake last looked to the end."""
    lasted = float(row["s"])
    looked = OFTEN + SELDOM * ((lasted - OFTEN) // SELDOM) if lasted > OFTEN else lasted
    return float(row["cpu_time"]) * lasted / looked


def fit_sizing(benchmarks: Sequence[Benchmark]) -> Sizing:
    """Fit each kind of job for itself; raises InputError if benchmarks do not show all units."""
    kinds = {}
    for kind, jobs in _by_kind(benchmarks).items():
        seconds = _fit(kind, [job.work.seconds for job in jobs], [job.seconds for job in jobs])
        memory = [job.work.megabytes for job in jobs], [job.megabytes for job in jobs]
        kinds[kind] = KindOfJob(
            benchmarks=len(jobs), seconds=seconds, megabytes=_fit(kind, *memory)
        )
    campaigns = list(dict.fromkeys(benchmark.campaign for benchmark in benchmarks))
    return Sizing(processor=_processor(), campaigns=campaigns, kinds=kinds)


def _by_kind(benchmarks: Sequence[Benchmark]) -> dict[str, list[Benchmark]]:
    kinds = sorted({benchmark.work.kind for benchmark in benchmarks})
    return {kind: [job for job in benchmarks if job.work.kind == kind] for kind in kinds}


def _fit(kind: str, work: list[dict[str, float]], observed: list[float]) -> Fit:
    names = list(work[0])
    units = np.array([[amounts[name] for name in names] for amounts in work])  # (benchmarks, units)
    scales = units.max(axis=0)  # (units,)
    if missing := [name for name, scale in zip(names, scales, strict=True) if scale == 0]:
        raise InputError(
            f"{kind}: expected benchmarks that show what {', '.join(missing)} takes, found none; "
            "run campaigns/sizing.yaml and give its folder, too"
        )
    least = np.array([LEAST.get(name, 0.0) for name in names])  # (units,)
    relative = units / scales / np.array(observed)[:, None]  # (benchmarks, units)
    excess, _ = nnls(relative, 1 - relative @ (least * scales))  # (units,)
    fitted = least + excess / scales
    fit = Fit(costs={name: float(f"{c:.4g}") for name, c in zip(names, fitted, strict=True)})
    largest = max(y / fit.estimate(amounts) for amounts, y in zip(work, observed, strict=True))
    return Fit(costs=fit.costs, factor=max(SAFETY, math.ceil(largest * 100) / 100))


def _processor() -> str:
    """The processor's name, as far as the system tells."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def report(sizing: Sizing, benchmarks: Sequence[Benchmark]) -> str:
    """How well a fit meets its benchmarks, and how well fits to others would, in Markdown."""
    lines = [
        INTRODUCTION.format(processor=sizing.processor, campaigns=", ".join(sizing.campaigns)),
        HEAD.format("kind of job"),
        *(_row(kind, sizing, jobs) for kind, jobs in _by_kind(benchmarks).items()),
    ]
    if len(sizing.campaigns) > 1:
        lines += ["\nEach campaign estimated from the others, where these show all that it does:\n"]
        lines += [HEAD.format("campaign, kind of job"), *_left_out(sizing.campaigns, benchmarks)]
    return "\n".join(lines)


def _left_out(campaigns: Sequence[str], benchmarks: Sequence[Benchmark]) -> Iterator[str]:
    for campaign in campaigns:
        others = _by_kind([job for job in benchmarks if job.campaign != campaign])
        for kind, jobs in _by_kind([job for job in benchmarks if job.campaign == campaign]).items():
            with contextlib.suppress(InputError, KeyError):  # what this campaign alone shows
                yield _row(f"{campaign}, {kind}", fit_sizing(others[kind]), jobs)


def _row(name: str, sizing: Sizing, jobs: Sequence[Benchmark]) -> str:
    fits = sizing.kinds[jobs[0].work.kind]
    times = [job.seconds / fits.seconds.estimate(job.work.seconds) for job in jobs]
    memories = [job.megabytes / fits.megabytes.estimate(job.work.megabytes) for job in jobs]
    time, memory = (
        ", ".join(f"{np.quantile(ratios, part):.2f}" for part in (0, 0.5, 1))
        for ratios in (times, memories)
    )
    of_time = max(job.seconds / 60 / sizing.minutes(job.work) for job in jobs)
    of_memory = max(job.megabytes / sizing.memory(job.work) for job in jobs)
    return f"| {name} | {len(jobs)} | {time} | {of_time:.0%} | {memory} | {of_memory:.0%} |"
