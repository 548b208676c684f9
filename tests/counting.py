"""Faults that tests inject, counted when pytest is given ``--count-faults FOLDER``.

Each process appends to a separate file, a JSON line for each fault and one for its outcome;
``python -m benchmarks.reliability FOLDER`` makes a table of them.
"""

import datetime
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest

from mlipkd.jobs import provenance

Outcome = Literal["recovered", "refused"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option of pytest."""
    parser.addoption("--count-faults", metavar="FOLDER", type=Path, help="count injected faults")


@pytest.fixture
def inject(request: pytest.FixtureRequest) -> Iterator[Callable[[str, Outcome], None]]:
    """A function that says, once for each fault, its kind and the required outcome.

    It is called before the fault is injected. The outcome is ``recovered`` if results are then
    identical, ``refused`` if a message names the cause; it counts if the test passes. What is
    injected and has no outcome is silently wrong.
    """
    folder = request.config.getoption("--count-faults")
    failed_before = request.session.testsfailed
    injected: list[tuple[str, Outcome]] = []

    def say(kind: str, outcome: Outcome) -> None:
        injected.append((kind, outcome))
        _append(folder, kind, "injected")

    yield say
    if request.session.testsfailed == failed_before:
        for kind, outcome in injected:
            _append(folder, kind, outcome)


def _append(folder: Path | None, kind: str, what: str) -> None:
    if folder is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    line = {
        "kind": kind,
        "what": what,
        "commit": provenance.commit(),
        "date": datetime.date.today().isoformat(),
    }
    with open(folder / f"{os.getpid()}.jsonl", "a") as file:
        file.write(json.dumps(line) + "\n")
