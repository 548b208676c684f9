"""Progress of long work: a bar where a person watches, a line now and then in a log file."""

import datetime
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")

#: Seconds between the lines of a log file at least, and as a fraction of what has passed, so that
#: a day of work is a few hundred lines.
INTERVAL, FRACTION = 30.0, 0.02


def progress(items: Iterable[T], total: int, description: str, done: int = 0) -> Iterator[T]:
    """Go through ``items``, showing on standard error how far it is and when it will end.

    Args:
        items: what is left to do.
        total: number of all items, with those that were done before.
        description: of the work.
        done: items that were done before, by a run that was stopped.
    """
    if sys.stderr.isatty():
        # What takes less than a second needs no bar.
        yield from tqdm(items, description, total, leave=False, initial=done, delay=1.0)
        return
    begin = last = time.monotonic()
    for number, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - last >= max(INTERVAL, FRACTION * (now - begin)):
            last = now
            left = (now - begin) / number * (total - done - number)
            print(
                f"{description}: {done + number}/{total}, {_until(left)}",
                file=sys.stderr,
                flush=True,
            )


def _until(left: float) -> str:
    """How long it will take, and when that is by the clock of this computer."""
    end = datetime.datetime.now() + datetime.timedelta(seconds=left)
    return f"{tqdm.format_interval(left)} left, until {end:%a %H:%M}"
