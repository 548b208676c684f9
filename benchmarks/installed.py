"""hippynn as installed: two processes that take turns, each set up as its users' are.

hippynn's has the allocator of the system and the kernel that hippynn chooses; ours sets what our
command line sets. Each has one thread, and they take turns.

``python -m benchmarks.installed CONTENDER CASE`` is one of the two: for each line that it reads it
makes one call and prints its seconds.
"""

import subprocess
import sys
from typing import cast

import torch

from benchmarks import hippynn_steps
from benchmarks.cases import CASES
from benchmarks.contenders import Contender, step
from benchmarks.timing import TURN, Times, call_time
from mlipkd.jobs.device import choose_device


class _Process:
    """One of the two."""

    def __init__(self, contender: Contender, key: str) -> None:
        words = [sys.executable, "-m", "benchmarks.installed", contender, key]
        self._process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ready(self) -> str:
        """Wait until it is; the kernel that hippynn chose."""
        return self._read()

    def call(self) -> float:
        """Seconds."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return float(self._read())

    def end(self) -> None:
        """Let it end."""
        self._process.communicate()

    def _read(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("a process that was to be timed has ended; see its message above")
        return line.strip()


def as_installed(key: str, turns: int) -> tuple[Times, Times, str]:
    """hippynn's times, ours, and the kernel that hippynn chose."""
    processes = [_Process("hippynn", key), _Process("ours", key)]
    kernel, _ = [process.ready() for process in processes]
    taken = [[process.call() for process in processes] for _ in range(turns)]
    for process in processes:
        process.end()
    hippynn, ours = zip(*taken, strict=True)
    return Times(hippynn), Times(ours), kernel


def main(contender: str, key: str) -> None:
    """Be one of the two processes."""
    if contender == "ours":
        choose_device("cpu", threads=1)
    torch.set_num_threads(1)
    device = torch.device("cpu")
    case = CASES[key]
    called = step(cast(Contender, contender), case, case.systems(), device)
    called()
    calls = max(1, round(TURN / call_time(called, 1, device)))
    print(hippynn_steps.use(hippynn_steps.AS_INSTALLED), flush=True)
    for _ in sys.stdin:
        print(call_time(called, calls, device), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
