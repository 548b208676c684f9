"""Progress in a log file: lines that are few, and that say when work will end."""

import re

import pytest

from mlipkd.jobs import progress as module
from mlipkd.jobs.progress import progress


@pytest.fixture
def clock(monkeypatch):
    """A clock that goes by as much as an item is worth, in seconds."""
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])

    def tick(items, *rest) -> None:
        for seconds in progress(items, *rest):
            now[0] += seconds

    return tick


def test_lines_say_how_far_it_is_and_when_it_ends(clock, capsys) -> None:
    clock([40.0] * 3, 6, "epochs", 3)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(", until")[0] for line in lines] == [
        "epochs: 4/6, 01:20 left",
        "epochs: 5/6, 00:40 left",
        "epochs: 6/6, 00:00 left",
    ]
    assert all(re.search(r", until \w+ \d\d:\d\d$", line) for line in lines)


def test_a_day_of_work_is_a_few_hundred_lines(clock, capsys) -> None:
    clock([1.0] * 86400, 86400, "steps")
    lines = capsys.readouterr().err.splitlines()
    assert 100 < len(lines) < 500
    assert lines[0].startswith("steps: 30/86400, 23:59:30 left")


def test_short_work_says_nothing(clock, capsys) -> None:
    clock([1.0] * 29, 29, "batches")
    assert not capsys.readouterr().err


def test_items_come_as_they_are() -> None:
    assert list(progress(iter("abc"), 3, "letters")) == list("abc")
