"""A checkout with a separate campaign, run by Snakemake as a user would run it."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import psutil
import yaml

ROOT = Path(__file__).parents[2]

#: What the profile `slurm` leaves to the cluster, for one that has no accounting and no time.
SLURM = (
    *("--profile", "slurm"),
    *("--slurm-status-command", "squeue"),
    *("--slurm-init-seconds-before-status-checks", "1"),
)
LOCAL = ("--profile", "workflow/profiles/local")


class Job(NamedTuple):
    """A job as SLURM knows it."""

    number: int
    state: str
    comment: str
    """The rule and its wildcards."""


class Checkout:
    """A folder of links to this checkout's workflow, and a config.yaml."""

    def __init__(self, folder: Path, campaign: dict) -> None:
        self.folder = folder
        for name in ("Snakefile", "workflow", "slurm"):
            (folder / name).symlink_to(ROOT / name)
        (folder / "config.yaml").write_text(yaml.safe_dump(campaign, sort_keys=False))
        self.runs: list[subprocess.Popen] = []

    def start(self, *options: str, files: Sequence[str] = ()) -> subprocess.Popen:
        """Start Snakemake, for some files or all; what it says goes to ``snakemake.log``."""
        with open(self.folder / "snakemake.log", "a") as log:
            run = subprocess.Popen(
                [sys.executable, "-m", "snakemake", *options, "--", *files],
                cwd=self.folder,
                env=os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.runs.append(run)
        return run

    def finish(self, run: subprocess.Popen, timeout: float = 900) -> None:
        """Wait for Snakemake to succeed.

        Raises:
            AssertionError: it failed or took too long; with what it and its jobs said.
        """
        try:
            status: int | str = run.wait(timeout)
        except subprocess.TimeoutExpired:
            status = f"none within {timeout} s"
        assert status == 0, f"Snakemake's exit status: {status}\n{self.said()}"

    def said(self) -> str:
        """All that Snakemake and its jobs said, and what became of the jobs."""
        logs = [self.folder / "snakemake.log", *sorted(self.folder.glob("logs/**/*.log"))]
        texts = [f"==> {log.relative_to(self.folder)}\n{log.read_text()}" for log in logs]
        return "\n".join([*texts, *map(str, self.jobs())])

    def jobs(self, rule: str = "") -> list[Job]:
        """The jobs of this checkout in SLURM, ended ones too, in the order of their submission."""
        lines = slurm("squeue", "--states=all", "--noheader", "--format=%A|%T|%Z|%k").splitlines()
        jobs = [line.split("|", 3) for line in lines]
        return sorted(
            Job(int(number), state, comment)
            for number, state, folder, comment in jobs
            if folder == str(self.folder) and comment.startswith(f"rule_{rule}")
        )

    def end(self) -> None:
        """End Snakemake and its jobs, if a test left any."""
        for run in self.runs:
            if run.poll() is None:
                os.killpg(run.pid, signal.SIGKILL)
                run.wait()
        if jobs := self.jobs():
            slurm("scancel", "--quiet", *(str(job.number) for job in jobs))
        # A Snakemake within a job whose node went down outlives it.
        for process in psutil.process_iter(["cwd"]):
            if process.info["cwd"] == str(self.folder):
                process.kill()


def slurm(*words: str) -> str:
    """What one of SLURM's commands says.

    Raises:
        AssertionError: it failed; with the reason that it gives.
    """
    ended = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, f"{' '.join(words)}: {ended.stderr}"
    return ended.stdout
