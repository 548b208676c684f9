"""One small job all the way: Snakemake, the profile, SLURM, a node, and back.

Where a process runs and what it finds there.
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

from mlipkd.cluster.offers import ask
from mlipkd.errors import InputError
from mlipkd.jobs import provenance

SNAKEFILE = Path("workflow/check/Snakefile")
FOLDER = Path("logs/slurm-check")
TARGET = FOLDER / "any/any/whereabouts.txt"
SAID = FOLDER / "snakemake.log"
#: Seconds between two questions to squeue.
INTERVAL = 5


def run_trial(profile: Path, wait: float, tell: Callable[[str], None] = print) -> str:
    """Submit a job as a campaign would, wait for it, and give what it says of the place it ran in.

    Args:
        profile: folder of the Snakemake profile.
        wait: minutes, those in the queue included.
        tell: what to do with news of the job: its state, and why it is in it.

    Raises:
        InputError: the job failed, or did not end in time and was cancelled.
    """
    if not SNAKEFILE.is_file():
        raise InputError(f"{SNAKEFILE}: expected a file, found none; run it in the checkout")
    TARGET.unlink(missing_ok=True)
    FOLDER.mkdir(parents=True, exist_ok=True)
    name = f"slurm-check-{uuid.uuid4().hex[:8]}"
    with open(SAID, "w") as said:
        # In a session of its own: Ctrl-C comes to us, and from us to Snakemake, once.
        snakemake = subprocess.Popen(
            [
                *(sys.executable, "-m", "snakemake", "--snakefile", str(SNAKEFILE)),
                *("--profile", str(profile), "--retries", "0", "--show-failed-logs"),
                *("--slurm-jobname-prefix", name, "--", str(TARGET)),
            ],
            stdout=said,
            stderr=subprocess.STDOUT,
            env=os.environ | {provenance.SUBMITTED: provenance.code()},
            start_new_session=True,
            # Where we run in the background, SIGINT is ignored, and so it would be in Snakemake.
            preexec_fn=_heed_interrupts,
        )
    try:
        state = _watch(snakemake, name, wait, tell)
    finally:
        if snakemake.poll() is None:
            snakemake.send_signal(signal.SIGINT)
            snakemake.wait()  # it cancels what it has submitted
    if state is not None:
        raise InputError(
            f"expected the job to end within {wait:g} minutes, got {state}; it was cancelled. Give "
            f"--wait more minutes, or another partition; {SAID} is what Snakemake said"
        )
    if snakemake.returncode:
        raise InputError(
            f"{SAID.read_text()}\nwanted a job that comes back, got the above; fix what it names"
        )
    return TARGET.read_text()


def _heed_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _watch(
    snakemake: subprocess.Popen, name: str, wait: float, tell: Callable[[str], None]
) -> str | None:
    """Wait for Snakemake; the state of the job if the time is over before."""
    end = time.monotonic() + 60 * wait
    state = ""
    while True:
        try:
            snakemake.wait(min(INTERVAL, max(end - time.monotonic(), 0)))
            return None
        except subprocess.TimeoutExpired:
            new = _state(name)
        if new != state:
            tell(new)
        state = new
        if time.monotonic() >= end:
            return state


def _state(name: str) -> str:
    """The number and state of the job whose name begins so, and why it is in it."""
    jobs = ask("squeue", "--me", "--noheader", "--states=all", "--format=%j|%A|%T|%r|%N")
    for line in jobs.splitlines():
        job, number, state, reason, nodes = line.split("|")
        if job.startswith(name):
            because = {"None": f" on {nodes}"}.get(reason, f" ({reason})")
            return f"job {number} {state.lower()}{because}"
    return "no job in SLURM"


#: What stands for nothing.
NONE = "none"
SEEN = "GPUs that PyTorch sees"


def whereabouts() -> str:
    """Host, SLURM job, GPUs, Python, and which mlipkd: one a line."""
    import torch  # seconds, which asking about the answer does not need

    own = provenance.record()
    seen = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    facts = {
        "host": platform.node(),
        "folder": os.getcwd(),
        "SLURM job": os.environ.get("SLURM_JOB_ID", NONE),
        "GPUs given": os.environ.get("CUDA_VISIBLE_DEVICES") or NONE,
        SEEN: ", ".join(seen) or NONE,
        "PyTorch": torch.__version__,
        "Python": f"{own['python']}, {sys.executable}",
        "mlipkd": f"{own['mlipkd']}, commit {own['commit']}",
    }
    return "".join(f"{name}: {fact}\n" for name, fact in facts.items())


def sees_gpus(said: str) -> bool:
    """Whether PyTorch saw a GPU where this was said."""
    return f"{SEEN}: {NONE}\n" not in said
