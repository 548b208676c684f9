"""Stopping in time: work that can be gone on with asks, every now and then, whether it should end.

It should when SLURM is about to end the job, or when somebody has sent SIGTERM (``scancel``, the
end of the time, preemption) or SIGUSR1. The handlers only take note: what runs comes to a point
where its state can be kept.
"""

import os
import signal
import time
from collections.abc import Callable

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
