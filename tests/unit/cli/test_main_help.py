"""Help: every verb's has an example, and the verb understands it."""

import shlex

import pytest
import typer

from mlipkd.cli.main import app

COMMANDS = typer.main.get_command(app).commands
#: By their words: "train", "evaluate errors".
VERBS = {name: verb for name, verb in COMMANDS.items() if name != "evaluate"} | {
    f"evaluate {name}": verb for name, verb in COMMANDS["evaluate"].commands.items()
}


@pytest.mark.parametrize("verb", VERBS)
def test_the_example_of_a_verb_is_understood(verb) -> None:
    _, found, example = VERBS[verb].help.partition("Example: ")
    assert found
    program, *words = shlex.split(example)
    names = verb.split()
    assert (program, words[: len(names)]) == ("mlipkd", names)
    VERBS[verb].make_context(
        verb, words[len(names) :]
    )  # refuses unknown options, and that required ones lack


@pytest.mark.parametrize(
    "verb", [verb for verb in VERBS if "threads" in {one.name for one in VERBS[verb].params}]
)
def test_no_threads_are_too_few(verb) -> None:
    """A message, and no traceback of what takes them."""
    _, _, example = VERBS[verb].help.partition("Example: ")
    words = shlex.split(example)[1 + len(verb.split()) :]
    with pytest.raises(typer.BadParameter) as refused:
        VERBS[verb].make_context(verb, [*words, "--threads", "0"])
    assert refused.value.param.name == "threads"
