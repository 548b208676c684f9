"""Jobs of a campaign that have started: their states, from their logs and from Snakemake's."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from mlipkd import paths

State = Literal["done", "running", "failed", "stopped"]

#: Lines of Snakemake's log: a job starts or has failed; its log file; progress of the whole run.
STARTED = re.compile(r"\s*(?:local)?(?:rule|checkpoint) [\w.-]+:")
FAILED = re.compile(r"\s*Error in rule [\w.-]+:")
LOG = re.compile(r"\s+log: ([^\s,]+)")
STEPS = re.compile(r"(\d+) of (\d+) steps \(.*\) done")


@dataclass(frozen=True)
class Job:
    """A job that has started at least once."""

    rule: str
    name: str
    """The path of its log below ``logs/``, without suffix."""
    state: State
    last_line: str
    """Of its log."""


class Run(NamedTuple):
    """The last run of Snakemake that started a job."""

    alive: bool
    """Whether Snakemake has locked the working directory; the lock outlives a killed Snakemake."""
    steps: tuple[int, int] | None
    """Number of steps that are done, and of all steps."""
    failed: dict[str, bool]
    """Whether each job that was started has failed, by its log."""


def last_run(folder: Path) -> Run | None:
    """The last run in a working directory, from Snakemake's logs; None if there is none.

    Runs that were refused, that only removed locks or that tested a cluster started no job of a
    campaign and are ignored.
    """
    logs = sorted((folder / ".snakemake" / "log").glob("*.snakemake.log"), reverse=True)
    if not logs:
        return None
    alive = any((folder / ".snakemake" / "locks").glob("*"))
    runs = (_read(log, alive) for log in logs)
    return next((run for run in runs if run.failed), Run(alive, None, {}))


def _read(log: Path, alive: bool) -> Run:
    steps, jobs, failed = None, {}, False
    for line in log.read_text(errors="replace").splitlines():
        if STARTED.fullmatch(line):
            failed = False
        elif FAILED.fullmatch(line):
            failed = True
        elif match := LOG.match(line):
            if not paths.is_of_cluster(match[1]):
                jobs[match[1]] = failed
        elif match := STEPS.fullmatch(line):
            steps = int(match[1]), int(match[2])
    return Run(alive, steps, jobs)


def jobs(folder: Path, run: Run | None) -> Iterator[Job]:
    """All jobs that have ever started in a working directory.

    A job is done if its benchmark, which Snakemake writes at its end, is as new as its log. A job
    that the last run has started and that has not failed since is running, or is queued, while
    Snakemake is alive.
    """
    failed = run.failed if run else {}
    logs = (str(path.relative_to(folder)) for path in (folder / paths.LOGS).rglob("*" + paths.LOG))
    for name in sorted({log for log in logs if not paths.is_of_cluster(log)}.union(failed)):
        log = folder / name
        benchmark, last_line = folder / paths.benchmark_of(name), _last_line(log)
        state: State
        if benchmark.is_file() and log.is_file() and _time(benchmark) >= _time(log):
            state = "done"
        elif failed.get(name) or last_line.startswith("error: "):
            state = "failed"
        else:
            state = "running" if run and run.alive and name in failed else "stopped"
        job = name.removeprefix(f"{paths.LOGS}/").removesuffix(paths.LOG)
        yield Job(paths.rule_of(name), job, state, last_line)


def _time(path: Path) -> int:
    return path.stat().st_mtime_ns


def _last_line(path: Path) -> str:
    """The last line of a log, with the last state of a progress bar; empty if there is no log."""
    if not path.is_file():
        return ""
    lines = path.read_text(errors="replace").replace("\r", "\n").strip().splitlines()
    return lines[-1].strip() if lines else ""
