"""Locks: whoever makes an output is the only one who does.

A scheduler that was killed forgets what it has submitted: started again, it submits the same jobs
beside those that still run. So the maker of ``<name>`` holds the lock ``.<name>.lock`` beside it,
which says who that is. The lock is the operating system's (flock), which lets go of it with the
death of its holder, be it by kill -9. Where file systems keep locks from the other nodes, what the
file says still tells: a SLURM job that runs is alive, whatever the lock.
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
#: Seconds between looks at a lock: the first, and the most, as each may ask SLURM.
PAUSE, LONGEST_PAUSE = 0.2, 5.0
#: States of a SLURM job that has processes.
RUNNING = {"CONFIGURING", "RUNNING", "COMPLETING", "SIGNALING", "STAGE_OUT", "STOPPED", "SUSPENDED"}


@contextlib.contextmanager
def sole_maker(outputs: Sequence[Path], patience: float = PATIENCE) -> Iterator[None]:
    """Hold the locks of all outputs, and clear away what makers that were killed left half done.

    Args:
        outputs: files or folders to be made.
        patience: seconds to wait for another maker.

    Raises:
        TryAgainError: another is making one of them; the message names it.
        InputError: the folder is not writable.
    """
    until = time.monotonic() + patience
    with contextlib.ExitStack() as stack:
        for output in sorted(set(outputs)):
            stack.enter_context(_held(output, until))
            for left in output.parent.glob(f".{escape(output.name)}.*.tmp*"):
                left.unlink(missing_ok=True)
        yield


@dataclass(frozen=True)
class _Maker:
    """A process that makes an output."""

    host: str
    pid: int
    job: str
    """Its SLURM job, or ``none``."""

    @classmethod
    def this(cls) -> Self:
        return cls(platform.node(), os.getpid(), os.environ.get("SLURM_JOB_ID", "none"))

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Who wrote the lock, if the text is whole."""
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
        this = type(self).this()
        if self.host == this.host or self.job in ("none", this.job) or not self.job.isdigit():
            return False
        command = ["squeue", "--noheader", "--jobs", self.job, "--states", "all", "--format", "%T"]
        try:
            asked = subprocess.run(command, capture_output=True, text=True, timeout=60)
        except (FileNotFoundError, subprocess.TimeoutExpired):
            return False  # nobody to ask: the lock has said that its holder is dead
        if asked.returncode != 0:
            return "Invalid job id" not in asked.stderr
        return bool(RUNNING & set(asked.stdout.split()))


@contextlib.contextmanager
def _held(output: Path, until: float) -> Iterator[None]:
    path = output.with_name(f".{output.name}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        pause = PAUSE
        while (descriptor := _take(path)) is None:
            if time.monotonic() > until:
                raise TryAgainError(
                    f"{output}: it is being made already, by {_maker(path) or 'another process'}; "
                    "wait for that one to end, or end it, and try again"
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
        # Removed while it is held, so that nobody's lock is removed but our own.
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _take(path: Path) -> int | None:
    """The descriptor of the lock, if it could be taken."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        before = _maker(path)
        if _is(descriptor, path) and not (before is not None and before.runs_elsewhere()):
            if before is not None:
                print(f"taking over from {before}, which has ended", file=sys.stderr)
            _sign(descriptor, path)
            return descriptor
    except BlockingIOError:
        pass
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _sign(descriptor: int, path: Path) -> None:
    """Write who holds the lock; on a full disk, leave nothing behind."""
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{_Maker.this()}\n".encode(), 0)
        os.fsync(descriptor)
    except OSError:
        path.unlink(missing_ok=True)
        raise


def _maker(path: Path) -> _Maker | None:
    """Who stands in a lock, if it is there and its text is whole."""
    try:
        return _Maker.parse(path.read_text(errors="replace"))
    except FileNotFoundError:
        return None


def _is(descriptor: int, path: Path) -> bool:
    """Whether the open file still has that name; it has not if its last holder removed it."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
