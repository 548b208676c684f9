"""One small job all the way: Snakemake, the profile, SLURM, a node, and back.

The job says which machine it ran on and what it had there.
"""

import os
import platform
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from mlipkd.cluster.slurm import query
from mlipkd.errors import InputError
from mlipkd.jobs import provenance

SNAKEFILE = Path("workflow/check/Snakefile")
FOLDER = Path("logs/slurm-check")
OUTPUT = FOLDER / "any/any/host.txt"
SNAKEMAKE_LOG = FOLDER / "snakemake.log"
#: Seconds between two questions to squeue.
INTERVAL = 5

#: What a line says where there is nothing to say.
NONE = "none"
VISIBLE_GPUS = "GPUs that PyTorch sees"


def run_trial(profile: Path, wait: float, report: Callable[[str], None] = print) -> str:
    """Submit a job as a campaign would, wait for it, and return what it says of its host.

    Args:
        profile: folder of the Snakemake profile.
        wait: minutes, those in the queue included.
        report: called with each new state of the job and its reason.

    Raises:
        InputError: the job failed, or did not end in time and was cancelled.
    """
    if not SNAKEFILE.is_file():
        raise InputError(f"{SNAKEFILE}: expected a file, found none; run it in the checkout")
    OUTPUT.unlink(missing_ok=True)
    FOLDER.mkdir(parents=True, exist_ok=True)
    name = f"slurm-check-{uuid.uuid4().hex[:8]}"
    with open(SNAKEMAKE_LOG, "w") as log:
        # In a separate session: Ctrl-C comes to us, and from us to Snakemake, once.
        snakemake = subprocess.Popen(
            [
                *(sys.executable, "-m", "snakemake", "--snakefile", str(SNAKEFILE)),
                *("--profile", str(profile), "--retries", "0", "--show-failed-logs"),
                *("--slurm-jobname-prefix", name, "--", str(OUTPUT)),
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
            env=os.environ | {provenance.SUBMITTED: provenance.code()},
            start_new_session=True,
            # Where we run in the background, SIGINT is ignored, and so it would be in Snakemake.
            preexec_fn=_heed_interrupts,
        )
    try:
        state = _wait_for(snakemake, name, wait, report)
    finally:
        if snakemake.poll() is None:
            snakemake.send_signal(signal.SIGINT)
            snakemake.wait()  # it cancels what it has submitted
    if state is not None:
        raise InputError(
            f"expected the job to end within {wait:g} minutes, got {state}; it was cancelled. Give "
            f"--wait more minutes, or another partition; {SNAKEMAKE_LOG} is what Snakemake said"
        )
    if snakemake.returncode:
        raise InputError(
            f"{SNAKEMAKE_LOG.read_text()}\nexpected a job that comes back, got the above; fix what "
            "it names"
        )
    return OUTPUT.read_text()


def _heed_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _wait_for(
    snakemake: subprocess.Popen, name: str, minutes: float, report: Callable[[str], None]
) -> str | None:
    """Wait for Snakemake; the state of the job if that takes longer."""
    end = time.monotonic() + 60 * minutes
    state = ""
    while True:
        try:
            snakemake.wait(min(INTERVAL, max(end - time.monotonic(), 0)))
            return None
        except subprocess.TimeoutExpired:
            new_state = _state(name)
        if new_state != state:
            report(new_state)
        state = new_state
        if time.monotonic() >= end:
            return state


def _state(prefix: str) -> str:
    """The number and state of the job whose name has a prefix, and the reason for the state."""
    jobs = query("squeue", "--me", "--noheader", "--states=all", "--format=%j|%A|%T|%r|%N")
    for line in jobs.splitlines():
        name, number, state, reason, nodes = line.split("|")
        if name.startswith(prefix):
            detail = {"None": f" on {nodes}"}.get(reason, f" ({reason})")
            return f"job {number} {state.lower()}{detail}"
    return "no job in SLURM"


def describe_host() -> str:
    """Host, SLURM job, GPUs, Python, and which mlipkd: one a line."""
    import torch  # seconds, which only the job itself should take

    record = provenance.record()
    gpus = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    facts = {
        "host": platform.node(),
        "folder": os.getcwd(),
        "SLURM job": os.environ.get("SLURM_JOB_ID", NONE),
        "GPUs given": os.environ.get("CUDA_VISIBLE_DEVICES") or NONE,
        VISIBLE_GPUS: ", ".join(gpus) or NONE,
        "PyTorch": torch.__version__,
        "Python": f"{record['python']}, {sys.executable}",
        "mlipkd": f"{record['mlipkd']}, commit {record['commit']}",
    }
    return "".join(f"{name}: {fact}\n" for name, fact in facts.items())


def sees_gpus(description: str) -> bool:
    """Whether PyTorch saw a GPU on a host that was described."""
    return f"{VISIBLE_GPUS}: {NONE}\n" not in description
