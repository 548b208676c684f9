"""Import paths: what a campaign names as ``package.module:name``, and the errors in its code."""

import importlib
import importlib.util
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mlipkd.errors import InputError, remedy


def import_object(where: str, path: str) -> object:
    """Import the object at an import path.

    Args:
        where: the key of the configuration that names it, for messages.
        path: ``package.module:name``.

    Raises:
        InputError: it cannot be imported.
    """
    module, _, name = path.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except Exception as error:  # a module runs when it is imported, and may raise anything
        raise _cannot_import(where, path, on_one_line(error)) from error


def find_function(where: str, path: str) -> Callable:
    """Import the function at an import path.

    Raises:
        InputError: it cannot be imported, or cannot be called.
    """
    function = import_object(where, path)
    if not callable(function):
        kind = type(function).__name__
        raise InputError(f"{where}: expected a function, got {path}, which is a {kind}; name one")
    return function


def module_file(where: str, path: str) -> Path:
    """The file of the module at an import path, without importing more than its package.

    Raises:
        InputError: there is no such module, or it is not a file.
    """
    module = path.partition(":")[0]
    try:
        spec = importlib.util.find_spec(module)
    except Exception as error:  # of its package
        raise _cannot_import(where, path, on_one_line(error)) from error
    if spec is None or not spec.has_location or spec.origin is None:
        raise _cannot_import(where, path, f"no file of the module {module}")
    return Path(spec.origin)


@contextmanager
def errors_in_user_code(path: str, expected: str) -> Iterator[None]:
    """Turn whatever a user's function raises into one line: its file and line, and the reason.

    Args:
        path: the function's import path.
        expected: what it should have returned.

    Raises:
        InputError: in place of any exception.
    """
    try:
        yield
    except Exception as error:
        place = file = str(module_file("function", path))
        for frame in traceback.extract_tb(error.__traceback__):
            if frame.filename == file:
                place = f"{file}:{frame.lineno}"
        raise InputError(
            f"{place}: expected {expected} from {path}, got {type(error).__name__} "
            f"({on_one_line(error)}); fix the function, or what it is given"
        ) from error


def on_one_line(error: Exception) -> str:
    """Any exception on one line, and how to install the package that it misses, if it does."""
    text = " ".join(str(error).split()) or type(error).__name__
    fix = remedy(error.name or "") if isinstance(error, ImportError) else None
    return f"{text}; {fix}" if fix else text


def _cannot_import(where: str, path: str, reason: str) -> InputError:
    return InputError(
        f"{where}: expected what can be imported, got {path} ({reason}); install its package, put "
        "its folder on PYTHONPATH, or correct the path"
    )
