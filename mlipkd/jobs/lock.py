"""Locks: no two processes make the same output at once.

A scheduler that was killed forgets what it has submitted: started again, it submits the same jobs
while the first ones still run. So the process that makes ``<name>`` holds ``.<name>.lock`` next to
it, which says who holds it. The lock is the operating system's (flock), which releases it when its
holder dies, even by kill -9. Where file systems do not share locks between nodes, the content of
the file still tells: a SLURM job that runs is alive, whatever the lock says.
"""

import contextlib
import fcntl
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import Self

from mlipkd.errors import InputError, TryAgainError

#: Seconds to wait for the holder: it may be a job that was told to stop and is writing its state.
PATIENCE = 30.0
#: Seconds between attempts: at first, and at most; each may ask SLURM.
PAUSE, LONGEST_PAUSE = 0.2, 5.0
#: States of a SLURM job that has processes.
RUNNING = {"CONFIGURING", "RUNNING", "COMPLETING", "SIGNALING", "STAGE_OUT", "STOPPED", "SUSPENDED"}


@contextlib.contextmanager
def locked(outputs: Sequence[Path], patience: float = PATIENCE) -> Iterator[None]:
    """Hold the locks of all outputs, and remove temporary files of processes that were killed.

    Args:
        outputs: files or folders to be made.
        patience: seconds to wait for another process.

    Raises:
        TryAgainError: another process is making one of them; the message names it.
        InputError: the folder is not writable.
    """
    until = time.monotonic() + patience
    with contextlib.ExitStack() as stack:
        for output in sorted(set(outputs)):
            stack.enter_context(_lock(output, until))
            for temporary in output.parent.glob(f".{escape(output.name)}.*.tmp*"):
                temporary.unlink(missing_ok=True)
        yield


@dataclass(frozen=True)
class _Holder:
    """A process that holds a lock."""

    host: str
    pid: int
    job: str
    """Its SLURM job, or ``none``."""

    @classmethod
    def this_process(cls) -> Self:
        return cls(platform.node(), os.getpid(), os.environ.get("SLURM_JOB_ID", "none"))

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Who wrote a lock; none if its text is incomplete."""
        match text.split():
            case ["host", host, "pid", pid, "job", job] if pid.isdigit():
                return cls(host, int(pid), job)
        return None

    def __str__(self) -> str:
        return f"host {self.host} pid {self.pid} job {self.job}"

    def runs_elsewhere(self) -> bool:
        """Whether it is a job on another node that SLURM says is running.

        A job of our own number is this one before it was put back into the queue.
        """
        this = type(self).this_process()
        if self.host == this.host or self.job in ("none", this.job) or not self.job.isdigit():
            return False
        command = ["squeue", "--noheader", "--jobs", self.job, "--states", "all", "--format", "%T"]
        try:
            answer = subprocess.run(command, capture_output=True, text=True, timeout=60)
        except (FileNotFoundError, subprocess.TimeoutExpired):
            return False  # no SLURM here: the lock has said that its holder is dead
        if answer.returncode != 0:
            return "Invalid job id" not in answer.stderr
        return bool(RUNNING & set(answer.stdout.split()))


@contextlib.contextmanager
def _lock(output: Path, until: float) -> Iterator[None]:
    path = output.with_name(f".{output.name}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        pause = PAUSE
        while (descriptor := _acquire(path)) is None:
            if time.monotonic() > until:
                holder = _read_holder(path) or "another process"
                raise TryAgainError(
                    f"{output}: it is being made already, by {holder}; wait for that one to end, "
                    "or end it, and try again"
                )
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
    except OSError as error:
        raise InputError(
            f"{path}: could not be locked ({error.strerror or error}); free space on the disk "
            f"that holds {path.parent}, or choose a folder that is writable, on a file system with "
            "locks (Lustre: mounted with flock)"
        ) from error
    try:
        yield
    finally:
        # Removed while it is held: afterwards it might be another process's.
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _acquire(path: Path) -> int | None:
    """The descriptor of the lock; none while another process holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        previous = _read_holder(path)
        if _has_name(descriptor, path) and not (previous and previous.runs_elsewhere()):
            if previous is not None:
                print(f"taking over from {previous}, which has ended", file=sys.stderr)
            _write_holder(descriptor, path)
            return descriptor
    except BlockingIOError:
        pass
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _write_holder(descriptor: int, path: Path) -> None:
    """Write into the lock that this process holds it; on a full disk, remove it."""
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{_Holder.this_process()}\n".encode(), 0)
        os.fsync(descriptor)
    except OSError:
        path.unlink(missing_ok=True)
        raise


def _read_holder(path: Path) -> _Holder | None:
    """Who holds a lock, if it is there and its text is complete."""
    try:
        return _Holder.parse(path.read_text(errors="replace"))
    except FileNotFoundError:
        return None


def _has_name(descriptor: int, path: Path) -> bool:
    """Whether the open file still has this name; it has not if its last holder removed it."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
