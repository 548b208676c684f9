"""Progress of long work: a bar in a terminal, a line now and then in a log file."""

import datetime
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")

#: Least seconds between the lines of a log file, and least fraction of the time so far: a day of
#: work is a few hundred lines.
INTERVAL, FRACTION = 30.0, 0.02


def progress(items: Iterable[T], total: int, description: str, done: int = 0) -> Iterator[T]:
    """Iterate over ``items``, showing on standard error how many are done and when all will be.

    Args:
        items: those left to do.
        total: number of all items, including those done before.
        description: of the work.
        done: items done before, by a run that was stopped.
    """
    if sys.stderr.isatty():
        # What takes less than a second needs no bar.
        yield from tqdm(items, description, total, leave=False, initial=done, delay=1.0)
        return
    start = last = time.monotonic()
    for number, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - last >= max(INTERVAL, FRACTION * (now - start)):
            last = now
            remaining = (now - start) / number * (total - done - number)
            print(
                f"{description}: {done + number}/{total}, {_until(remaining)}",
                file=sys.stderr,
                flush=True,
            )


def _until(remaining: float) -> str:
    """The remaining seconds in words, and the local time at their end."""
    end = datetime.datetime.now() + datetime.timedelta(seconds=remaining)
    return f"{tqdm.format_interval(remaining)} left, until {end:%a %H:%M}"
