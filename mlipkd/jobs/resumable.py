"""Stopping in time: work that can be gone on with asks, every now and then, whether it should end.

It should when SLURM is about to end the job, or when somebody has sent SIGTERM (``scancel``, the
end of the time, preemption) or SIGUSR1. The handlers only take note: what runs comes to a point
where its state can be kept.

Long work in pieces: those that are done are kept beside its output until all are.

The pieces are arrays by name, in one safetensors file. Work that was stopped or killed finds them
there and goes on with the rest, if it is still the same work.
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

#: Seconds of a job's time that are left to what comes before and after the work: two Snakemakes
#: start, the last state is written, and SLURM's signals come up to a minute early. At most half.
MARGIN = 180.0


def never() -> str | None:
    """Nothing stops work that is done by a function call."""
    return None


def listen(runtime: float | None) -> Stop:
    """Listen to signals from now on.

    Args:
        runtime: minutes that SLURM gives the job; outside of SLURM nobody ends it, and it is not
            heeded.
    """
    asked: list[str] = []

    def note(number: int, _: object) -> None:
        asked.append(f"{signal.Signals(number).name} came")

    for number in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, note)
    until = float("inf")
    if runtime is not None and "SLURM_JOB_ID" in os.environ:
        until = time.monotonic() + runtime * 60 - min(MARGIN, runtime * 60 / 2)

    def stop() -> str | None:
        if asked:
            return asked[0]
        return f"its {runtime:g} minutes are nearly over" if time.monotonic() > until else None

    return stop


class Resumable:
    """The pieces of one piece of work; without an output, nothing is kept."""

    def __init__(self, output: Path | None = None, identity: str = "", stop: Stop = never) -> None:
        """Find what there is.

        Args:
            output: what the work is to make.
            identity: all that the result depends on but for mlipkd's code.
            stop: asked after every piece.
        """
        self.output, self.stop = output, stop
        self._identity = f"{identity} {provenance.code()}"
        self._path = output and output.with_name(output.name + ".checkpoint")
        self.pieces: dict[str, np.ndarray] = {}
        """Those that are done."""
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
        """Keep pieces, in the place of all before.

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
        """Delete what was kept, once the output is there."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)
            artefacts.sidecar(self._path).unlink(missing_ok=True)
