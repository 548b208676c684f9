"""Import paths: what is found, and what is said of modules that are wrong."""

import sys

import pytest

from mlipkd.errors import InputError
from mlipkd.imports import errors_in_user_code, find_function, module_file

FAILING = """\
def fail(text):
    found = {}
    return found[text]


number = 3
"""


@pytest.fixture
def module(write_module):
    """The name of a module with a function that fails in its third line."""
    return write_module("fails_in_line_three", FAILING)


def test_a_function_and_its_file(module) -> None:
    assert find_function("here", f"{module.stem}:fail").__name__ == "fail"
    assert module_file("here", f"{module.stem}:fail") == module


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nowhere:fail", r"No module named 'nowhere'\); .*PYTHONPATH"),
        ("fails_in_line_three:succeed", "has no attribute 'succeed'"),
        ("fails_in_line_three:number", "expected a function, .* which is a int"),
    ],
)
def test_what_is_no_function_is_refused(module, path, message) -> None:
    with pytest.raises(InputError, match=f"^here: .*{message}"):
        find_function("here", path)


def test_a_module_that_is_no_python_is_refused(write_module) -> None:
    write_module("no_python_at_all", "def (:\n")
    with pytest.raises(InputError, match=r"here: .*invalid syntax .*line 1"):
        find_function("here", "no_python_at_all:read")


def test_a_module_that_misses_a_package_of_an_extra_is_told_which(
    write_module, monkeypatch
) -> None:
    write_module("stands_on_tblite", "import tblite\n")
    monkeypatch.setitem(sys.modules, "tblite", None)
    with pytest.raises(InputError, match=r"tblite.*; run pip install -e '\.\[workflow\]'"):
        find_function("here", "stands_on_tblite:read")


@pytest.mark.parametrize("path", ["nowhere:f", "nowhere.at.all:f", "sys:exit"])
def test_a_module_without_a_file_is_refused(path) -> None:
    with pytest.raises(InputError, match=r"^here: expected what can be imported, got "):
        module_file("here", path)


def test_what_a_function_raises_names_its_line(module) -> None:
    path = f"{module.stem}:fail"
    function = find_function("here", path)
    with pytest.raises(InputError) as found, errors_in_user_code(path, "a number of x"):
        function("two\nlines")
    assert str(found.value) == (
        f"{module}:3: expected a number of x from {path}, got KeyError ('two\\nlines'); fix the "
        "function, or what it is given"
    )


def test_a_call_that_does_not_fit_names_the_file(module) -> None:
    path = f"{module.stem}:fail"
    message = rf"^{module}: expected x .*TypeError .*argument 'txt'"
    with pytest.raises(InputError, match=message), errors_in_user_code(path, "x"):
        find_function("here", path)(txt="")
