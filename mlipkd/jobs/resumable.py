"""Stopping in time and resuming: long work asks now and then whether to stop, and keeps its state.

It should stop when SLURM is about to end the job, or when SIGTERM (``scancel``, the time limit,
preemption) or SIGUSR1 has come. Signal handlers only take note: the work goes on to the next point
where its state can be saved.

``Resumable`` keeps the finished pieces of such work, arrays by name, in one safetensors file next
to its output. Work that was stopped or killed finds them there and does the rest, if it is still
the same work. (Training has its own kind of checkpoint, ``training/checkpoint.py``.)
"""

import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save

from mlipkd.errors import InputError, TryAgainError
from mlipkd.jobs import artefacts, provenance

#: Why work should stop now; none while it may go on.
Stop = Callable[[], str | None]

#: Seconds of a job's time reserved for what comes before and after the work: two Snakemakes start,
#: the last state is written, and SLURM's signals come up to a minute early. At most half of it.
MARGIN = 180.0


def never() -> str | None:
    """Never stop: the default where a function is called from Python."""
    return None


def listen(runtime: float | None) -> Stop:
    """Listen for signals from now on, and watch the time.

    Args:
        runtime: minutes that SLURM gives the job; ignored outside of SLURM, where nothing ends it.

    Returns:
        A function that says why work should stop, or none.
    """
    received: list[str] = []

    def note(number: int, _: object) -> None:
        received.append(f"{signal.Signals(number).name} came")

    for number in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, note)
    deadline = float("inf")
    if runtime is not None and "SLURM_JOB_ID" in os.environ:
        deadline = time.monotonic() + runtime * 60 - min(MARGIN, runtime * 60 / 2)

    def stop() -> str | None:
        if received:
            return received[0]
        return f"its {runtime:g} minutes are nearly over" if time.monotonic() > deadline else None

    return stop


class Resumable:
    """The finished pieces of one computation; without an output, none are saved."""

    def __init__(self, output: Path | None = None, identity: str = "", stop: Stop = never) -> None:
        """Read the pieces that were saved before.

        Args:
            output: the file that the work makes.
            identity: all that the result depends on, apart from mlipkd's code.
            stop: called after every piece, to ask whether to stop.
        """
        self.output, self.stop = output, stop
        self._identity = f"{identity} {provenance.code()}"
        self._path = output and output.with_name(output.name + ".checkpoint")
        self.pieces: dict[str, np.ndarray] = {}
        """The finished ones, by name."""
        if self._path is not None and self._path.exists():
            self.pieces = self._read(self._path)

    def _read(self, path: Path) -> dict[str, np.ndarray]:
        try:
            artefacts.verify(path)
        except InputError:
            return {}  # cut short by a crash: everything is done again
        with safe_open(path, framework="np") as file:
            if file.metadata()["identity"] != self._identity:
                return {}
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118

    def keep(self, pieces: Mapping[str, np.ndarray]) -> None:
        """Save these pieces in place of all before.

        Raises:
            TryAgainError: it is time to stop.
        """
        self.pieces = dict(pieces)
        if self._path is None:
            return
        with artefacts.writing(self._path) as temporary:
            temporary.write_bytes(save(self.pieces, {"identity": self._identity}))
        reason = self.stop()
        if reason:
            raise TryAgainError(
                f"{self.output}: stopped because {reason}; the same command goes on"
            )

    def finish(self) -> None:
        """Delete what was saved, once the output is there."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)
            artefacts.sidecar(self._path).unlink(missing_ok=True)
