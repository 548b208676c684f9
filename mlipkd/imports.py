"""Imports: what a campaign names as ``package.module:name``, and what goes wrong in it."""

import importlib
import importlib.util
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mlipkd.errors import InputError, remedy


def find(where: str, path: str) -> object:
    """Import what stands at an import path.

    Args:
        where: the key that names it, for messages.
        path: ``package.module:name``.

    Raises:
        InputError: it cannot be imported.
    """
    module, _, name = path.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except Exception as error:  # a module runs when it is imported, and raises anything
        raise _not_found(where, path, in_words(error)) from error


def find_function(where: str, path: str) -> Callable:
    """The same of a function.

    Raises:
        InputError: it cannot be imported, or cannot be called.
    """
    found = find(where, path)
    if not callable(found):
        raise InputError(
            f"{where}: expected a function, got {path}, which is a {type(found).__name__}; name one"
        )
    return found


def module_file(where: str, path: str) -> Path:
    """The file of the module at an import path, of which no more than its package is imported.

    Raises:
        InputError: there is no such module, or it is no file.
    """
    module = path.partition(":")[0]
    try:
        spec = importlib.util.find_spec(module)
    except Exception as error:  # of its package
        raise _not_found(where, path, in_words(error)) from error
    if spec is None or not spec.has_location or spec.origin is None:
        raise _not_found(where, path, f"no file of the module {module}")
    return Path(spec.origin)


@contextmanager
def blamed(path: str, wanted: str) -> Iterator[None]:
    """Turn whatever a function raises into one line: the file and line, what for, and why.

    Args:
        path: the function's import path.
        wanted: what it was asked for.

    Raises:
        InputError: in the place of any exception.
    """
    try:
        yield
    except Exception as error:
        place = file = str(module_file("function", path))
        for frame in traceback.extract_tb(error.__traceback__):
            if frame.filename == file:
                place = f"{file}:{frame.lineno}"
        raise InputError(
            f"{place}: expected {wanted} from {path}, got {type(error).__name__} "
            f"({in_words(error)}); fix the function, or what it is given"
        ) from error


def in_words(error: Exception) -> str:
    """An error of somebody else's on one line, and what installs the package that it misses."""
    said = " ".join(str(error).split()) or type(error).__name__
    fix = remedy(error.name or "") if isinstance(error, ImportError) else None
    return f"{said}; {fix}" if fix else said


def _not_found(where: str, path: str, reason: str) -> InputError:
    return InputError(
        f"{where}: expected what can be imported, got {path} ({reason}); install its package, put "
        "its folder on PYTHONPATH, or correct the path"
    )
