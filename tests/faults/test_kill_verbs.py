"""kill -9 of predict, merge and evaluate errors: no file or the whole one, and then the same."""

import itertools
import random
import signal
from functools import partial

import pytest

from mlipkd.jobs import artefacts
from tests.faults.children import die_at_call, verb

VERBS = ["predict", "merge", "evaluate errors"]


def none_or_whole(verbs, name: str, folder: str) -> bool:
    """Whether the files that a killed verb left cannot mislead anybody."""
    output = verbs.output(name, folder)
    return not output.exists() or (
        bool(artefacts.verify(output)) and verbs.same(name, "whole", folder)
    )


@pytest.mark.parametrize("call", ["replace", "fsync"])
@pytest.mark.parametrize("name", VERBS)
def test_killed_at_each_step_between_write_and_rename(verbs, inject, name, call) -> None:
    assert verb(*verbs.words(name, "whole")).status == 0
    for step in itertools.count(1):
        folder = f"killed{step}"
        ended = verb(*verbs.words(name, folder), sabotage=partial(die_at_call, call, step))
        if ended.status == 0:
            break
        inject(f"kill -9: {name}", "recovered")
        assert ended.status == -signal.SIGKILL
        assert none_or_whole(verbs, name, folder)
        assert verb(*verbs.words(name, folder)).status == 0
        assert verbs.same(name, "whole", folder)
    assert step > 2, "fewer steps than a file and its hash have"


@pytest.mark.parametrize("name", VERBS)
def test_killed_at_random_instants(verbs, inject, name) -> None:
    assert verb(*verbs.words(name, "whole")).status == 0
    instants = random.Random(name)
    for number in range(5):
        folder = f"killed{number}"
        if verb(*verbs.words(name, folder), seconds=instants.uniform(0.02, 0.3)).status == 0:
            continue  # it came to its end before the instant
        inject(f"kill -9: {name}", "recovered")
        assert none_or_whole(verbs, name, folder)
        assert verb(*verbs.words(name, folder)).status == 0
        assert verbs.same(name, "whole", folder)
