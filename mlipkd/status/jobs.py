"""Jobs: what became of those that were begun, from their logs and from Snakemake's."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from mlipkd.paths import BENCHMARK, rule_of

State = Literal["done", "running", "failed", "stopped"]

#: Lines of Snakemake's log: of a job that it starts, or that failed; of its log; of all jobs.
STARTED = re.compile(r"\s*(?:local)?(?:rule|checkpoint) [\w.-]+:")
FAILED = re.compile(r"\s*Error in rule [\w.-]+:")
LOG = re.compile(r"\s+log: ([^\s,]+)")
STEPS = re.compile(r"(\d+) of (\d+) steps \(.*\) done")
#: Folders of ``logs/`` that are of no campaign's jobs: what SLURM says, and ``mlipkd slurm-check``.
OTHERS = ("slurm", "slurm-check")


@dataclass(frozen=True)
class Job:
    """A job that was begun at least once."""

    rule: str
    place: str
    """The path of its log below ``logs/``, without its ending."""
    state: State
    said: str
    """The last line of its log."""


class Run(NamedTuple):
    """A run of Snakemake, the last one that started a job."""

    alive: bool
    """Whether Snakemake holds the working directory; it does, too, after it was killed."""
    steps: tuple[int, int] | None
    """How many were done, of how many."""
    began: dict[str, bool]
    """Logs of the jobs that it started, and whether they failed the last time."""


def last_run(folder: Path) -> Run | None:
    """What Snakemake says of its last run in a working directory, if there was any.

    Runs that were refused, that only removed locks or that tried a cluster say nothing of jobs.
    """
    logs = sorted((folder / ".snakemake" / "log").glob("*.snakemake.log"), reverse=True)
    if not logs:
        return None
    alive = any((folder / ".snakemake" / "locks").glob("*"))
    runs = (_read(log, alive) for log in logs)
    return next((run for run in runs if run.began), Run(alive, None, {}))


def _read(log: Path, alive: bool) -> Run:
    steps, began, failed = None, {}, False
    for line in log.read_text(errors="replace").splitlines():
        if STARTED.fullmatch(line):
            failed = False
        elif FAILED.fullmatch(line):
            failed = True
        elif found := LOG.match(line):
            if _is_of_a_job(Path(found[1])):
                began[found[1]] = failed
        elif found := STEPS.fullmatch(line):
            steps = int(found[1]), int(found[2])
    return Run(alive, steps, began)


def jobs(folder: Path, run: Run | None) -> Iterator[Job]:
    """All jobs that ever began in a working directory.

    A job is done when Snakemake has measured it: its benchmark is as new as its log. One that the
    last run has started and that did not fail since is running, or waits in a queue, while that run
    lives.
    """
    began = run.began if run else {}
    found = (path.relative_to(folder) for path in (folder / "logs").rglob("*.log"))
    written = {str(path) for path in found if _is_of_a_job(path)}
    for name in sorted(written.union(began)):
        log = folder / name
        benchmark, said = log.with_name(log.stem + BENCHMARK), _last_line(log)
        state: State
        if benchmark.is_file() and log.is_file() and _time(benchmark) >= _time(log):
            state = "done"
        elif began.get(name) or said.startswith("error: "):
            state = "failed"
        else:
            state = "running" if run and run.alive and name in began else "stopped"
        place = log.relative_to(folder / "logs")
        yield Job(rule_of(name), str(place.with_suffix("")), state, said)


def _is_of_a_job(log: Path) -> bool:
    return log.parts[1] not in OTHERS


def _time(path: Path) -> int:
    return path.stat().st_mtime_ns


def _last_line(path: Path) -> str:
    """The last line of a log, which may be there or not; of a bar, what it showed last."""
    if not path.is_file():
        return ""
    lines = path.read_text(errors="replace").replace("\r", "\n").strip().splitlines()
    return lines[-1].strip() if lines else ""
