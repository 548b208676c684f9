"""Verbs in separate processes, which can be limited, killed, or made to kill themselves.

All are forked from one process that has imported everything, so that each takes milliseconds.
"""

import itertools
import multiprocessing
import os
import resource
import signal
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    [
        "mlipkd.cli.main",
        "mlipkd.training.loop",
        "mlipkd.distillation.merge",
        "mlipkd.distillation.predict",
        "mlipkd.evaluation.errors",
        "torch._dynamo",  # which the first optimiser of a process imports
    ]
)


class Ended(NamedTuple):
    """How a verb ended."""

    status: int | None
    """Its exit status, or minus the signal that killed it."""
    error: str
    """What it wrote to the standard error."""


def verb(
    *words: object, sabotage: Callable[[], None] | None = None, seconds: float | None = None
) -> Ended:
    """Run ``mlipkd`` with some arguments.

    Args:
        words: of the command line.
        sabotage: called in the process before the verb.
        seconds: after which it is killed, if it has not ended.
    """
    # A pipe, as limits on files would also hold for a file.
    receiver, sender = CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(target=_main, args=([*map(str, words)], sender, sabotage))
    process.start()
    sender.close()
    process.join(seconds)
    process.kill()
    process.join()
    with open(receiver.fileno(), closefd=False) as said:
        return Ended(process.exitcode, said.read())


def _main(words: list[str], said: Connection, sabotage: Callable[[], None] | None) -> None:
    from mlipkd.cli.main import main

    for stream in (sys.stdout, sys.stderr):
        os.dup2(said.fileno(), stream.fileno())
    said.close()
    if sabotage is not None:
        sabotage()
    sys.argv = ["mlipkd", *words]
    main()


def die_at_call(name: str, number: int) -> None:
    """Let this process be killed at the ``number``-th call of a function of ``os``."""
    original = getattr(os, name)
    calls = itertools.count(1)

    def fatal(*args, **options):
        if next(calls) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*args, **options)

    setattr(os, name, fatal)


def count_calls(name: str, path: Path) -> None:
    """Let this process add a byte to a file at each call of a function of ``os``."""
    original = getattr(os, name)

    def counting(*args, **options):
        with open(path, "a") as file:
            file.write(".")
        return original(*args, **options)

    setattr(os, name, counting)


def die_beyond(size: int) -> None:
    """Let this process be killed in the middle of a write, once a file is of ``size`` bytes."""
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    limit_files(size)


def limit_files(size: int) -> None:
    """Let no file of this process become larger than ``size`` bytes, as a full disk would."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
