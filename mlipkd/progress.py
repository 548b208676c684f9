"""Progress of long work: a bar where a person watches, a line now and then in a log file."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")

#: Seconds between the lines of a log file.
INTERVAL = 30.0


def progress(items: Iterable[T], total: int, description: str) -> Iterator[T]:
    """Go through ``items``, showing on standard error how far it is and when it will end."""
    if sys.stderr.isatty():
        yield from tqdm(items, total=total, desc=description, leave=False)
        return
    begin = last = time.monotonic()
    for number, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - last >= INTERVAL:
            last = now
            left = (now - begin) / number * (total - number)
            print(
                f"{description}: {number}/{total}, {left:.0f} s left", file=sys.stderr, flush=True
            )
