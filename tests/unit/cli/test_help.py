"""Help: every verb's has an example, and the verb understands it."""

import shlex

import pytest
import typer

from mlipkd.cli.main import app

VERBS = typer.main.get_command(app).commands


@pytest.mark.parametrize("verb", VERBS)
def test_the_example_of_a_verb_is_understood(verb) -> None:
    _, found, example = VERBS[verb].help.partition("Example: ")
    assert found
    program, name, *words = shlex.split(example)
    assert (program, name) == ("mlipkd", verb)
    VERBS[verb].make_context(verb, words)  # refuses unknown options, and that required ones lack
