"""Faults of jobs and Snakemake on a cluster: every model comes out bitwise identical.

Jobs are submitted again by Snakemake, or requeued by SLURM, and resume.
"""

import os
import shutil
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.slurm.checkout import LOCAL, ROOT, SLURM, Checkout, Job, slurm
from tests.slurm.training import (
    TEACHERS,
    assert_the_same,
    campaign,
    jobs,
    models,
    restarts,
    send,
    states,
    underway,
    wait_until,
)

THREADS = ("--set-threads", "train=1")

#: The member that has a fault while the others train, and the states of its jobs.
FAULTS = {
    "SIGTERM": (0, ["FAILED", "COMPLETED"]),
    "SIGUSR1": (1, ["FAILED", "COMPLETED"]),
    "scancel": (2, ["CANCELLED", "COMPLETED"]),
    "scontrol requeue": (3, ["COMPLETED"]),
    "time nearly over": (4, ["FAILED", "COMPLETED"]),
    "hung until the time limit": (5, ["TIMEOUT", "COMPLETED"]),
}
#: Minutes of each seed, with few at the first attempt for those that run out of time.
RUNTIME = "train:runtime=[60, 60, 60, 60, 2, 1][int(wildcards.seed)] if attempt < 2 else 60"


@pytest.fixture(scope="module")
def undisturbed(checkout) -> Path:
    """The folder of the same campaign, run on this computer."""
    made = checkout(campaign(len(FAULTS)))
    made.finish(made.start(*LOCAL, *THREADS, files=models(range(len(FAULTS)))))
    return made.folder


@pytest.fixture(scope="module")
def start(checkout, undisturbed) -> Callable[[], Checkout]:
    """A function that makes the same campaign again, without its members."""

    def make() -> Checkout:
        made = checkout(campaign(len(FAULTS)))
        members = shutil.ignore_patterns("teachers")
        shutil.copytree(undisturbed / "results", made.folder / "results", ignore=members)
        return made

    return make


def strike(fault: str, job: Job) -> None:
    match fault:
        case "SIGTERM" | "SIGUSR1":
            send(fault, job)
        case "scancel":
            slurm("scancel", str(job.number))
        case "scontrol requeue":
            slurm("scontrol", "requeue", str(job.number))
        case "time nearly over":  # as if a file system had hung for a while
            send("STOP", job)
            threading.Timer(70, send, ("CONT", job)).start()
        case "hung until the time limit":
            send("STOP", job)


@pytest.fixture(scope="module")
def disturbed(start) -> Checkout:
    """The campaign on the cluster, with all faults and with a second Snakemake at once."""
    made = start()
    files = models(range(len(FAULTS)))
    run = made.start(*SLURM, *THREADS, "--set-resources", RUNTIME, files=files)
    waiting = {fault: seed for fault, (seed, _) in FAULTS.items()}

    def all_injected() -> bool:
        for fault, seed in list(waiting.items()):
            if underway(made, seed):
                strike(fault, jobs(made, seed)[-1])
                del waiting[fault]
        return not waiting

    wait_until(all_injected, made)
    assert made.start(*SLURM, *THREADS, files=files).wait(120) != 0
    made.finish(run)
    return made


@pytest.mark.parametrize("fault", FAULTS)
def test_of_a_job(fault, undisturbed, disturbed, inject):
    inject(f"SLURM: {fault}", "recovered")
    seed, expected = FAULTS[fault]
    assert states(disturbed, seed) == expected, disturbed.said()
    assert restarts(jobs(disturbed, seed)[0]) == (fault == "scontrol requeue")
    log = disturbed.folder / "logs" / TEACHERS.removeprefix("results/") / f"seed{seed}/train.log"
    assert log.read_text().startswith("resuming after epoch")
    assert_the_same(undisturbed, disturbed.folder, seed)


def test_a_second_snakemake_refuses(disturbed, inject):
    inject("SLURM: second Snakemake", "refused")
    assert (disturbed.folder / "snakemake.log").read_text().count("LockException") == 1


def test_a_node_goes_down_and_comes_back(start, undisturbed, inject):
    inject("SLURM: node down", "recovered")
    made = start()
    run = made.start(*SLURM, *THREADS, files=models([0]))
    wait_until(lambda: underway(made, 0), made)
    node = "nodename=" + slurm("sinfo", "--noheader", "--format=%n").strip()
    slurm("scontrol", "update", node, "state=down", "reason=test")
    wait_until(lambda: states(made, 0) == ["PENDING"], made)
    slurm("scontrol", "update", node, "state=resume")
    made.finish(run)
    assert states(made, 0) == ["COMPLETED"]
    assert restarts(jobs(made, 0)[0]) == 1
    assert_the_same(undisturbed, made.folder, 0)


def test_snakemake_is_killed_and_started_again(start, undisturbed, inject):
    inject("SLURM: kill -9 of Snakemake", "recovered")
    made = start()
    run = made.start(*SLURM, *THREADS, files=models([0]))
    wait_until(lambda: underway(made, 0), made)
    (first,) = jobs(made, 0)
    send("STOP", first)  # so that it does not end before the second comes
    os.killpg(run.pid, signal.SIGKILL)
    refused = made.start(*SLURM, *THREADS, files=models([0]))
    assert refused.wait(120) != 0  # the lock of the one that was killed is still there
    assert made.start(*SLURM, "--unlock").wait(120) == 0
    run = made.start(*SLURM, *THREADS, files=models([0]))
    wait_until(lambda: states(made, 0)[1:2] == ["FAILED"], made)
    assert f"job {first.number}; wait for that one to end" in made.said()
    send("CONT", first)
    made.finish(run)
    assert states(made, 0) == ["COMPLETED", "FAILED", "COMPLETED"]
    assert_the_same(undisturbed, made.folder, 0)


def test_several_members_in_one_job(start, undisturbed):
    """The block that the profile offers as a comment."""
    text = (ROOT / "workflow/profiles/slurm/config.yaml").read_text()
    block = text[text.index("# groups:") :].replace("\n# ", "\n").removeprefix("# ")
    words = [
        word
        for option, values in yaml.safe_load(block).items()
        for word in (f"--{option}", *(f"{key}={value}" for key, value in values.items()))
    ]
    made = start()
    made.finish(made.start(*SLURM, *THREADS, *words, files=models(range(2))))
    (grouped,) = made.jobs()
    assert grouped.state == "COMPLETED"
    requested = slurm(
        "squeue", "--states=all", "--noheader", f"--jobs={grouped.number}", "--Format=tres-per-job"
    )
    assert requested.strip().endswith("gpu:1")
    for seed in range(2):
        assert_the_same(undisturbed, made.folder, seed)
