"""Loading: the calculator that a settings file names, by the import path of its class.

The packages that a calculator comes from: their versions, and what they count on.
"""

import importlib.metadata
import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress

from ase.calculators.calculator import BaseCalculator

from mlipkd.config.functions import Calculator
from mlipkd.errors import InputError
from mlipkd.imports import find, in_words
from mlipkd.jobs.device import one_thread, subnormal_numbers


def load_calculator(where: str, settings: Calculator) -> BaseCalculator:
    """Import the class and make the calculator.

    Args:
        where: what to call the settings' place in messages.
        settings: class and options.

    Raises:
        InputError: there is no such class, it is no ASE calculator, does not take the options, or
            has no energy to give.
    """
    made_of = _class(where, settings.type)
    try:
        calculator = made_of(**settings.options)
    except InputError:
        raise
    except Exception as error:  # whatever a foreign class makes of its arguments
        raise InputError(
            f"{where}: calculator.options: expected what {settings.type} can be made with, got "
            f"{settings.options} ({in_words(error)}); see its documentation"
        ) from error
    if unknown := settings.options.keys() - _named(made_of):
        print(
            f"warning: {where}: {settings.type} names no options called "
            f"{', '.join(sorted(unknown))}, and may leave them alone; check their spelling",
            file=sys.stderr,
        )
    if "energy" not in calculator.implemented_properties:
        raise InputError(
            f"{where}: expected a calculator that gives an energy, got {settings.type}, which "
            f"gives {', '.join(calculator.implemented_properties) or 'nothing'}; choose another"
        )
    return calculator


def _class(where: str, path: str) -> type[BaseCalculator]:
    found = find(f"{where}: calculator.type", path)
    if not (inspect.isclass(found) and issubclass(found, BaseCalculator)):
        raise InputError(
            f"{where}: calculator.type: expected a class of ASE calculators, got {path}, which is "
            "none; if it is a function that makes a calculator, name the class of what it makes"
        )
    return found


def _named(made_of: type[BaseCalculator]) -> set[str]:
    """The options that a class names: arguments of its own and of its bases, and parameters."""
    named = set(getattr(made_of, "default_parameters", {}))
    for one in made_of.__mro__:
        with suppress(ValueError):  # of a class written in C
            named |= inspect.signature(one).parameters.keys()
    return named


#: Packages that take all cores for the smallest molecule.
ONE_THREAD = {"tblite"}


def versions(calculator: BaseCalculator) -> dict[str, str]:
    """The versions of a calculator's packages, by the names they are installed by."""
    installed = importlib.metadata.packages_distributions()
    names = {name for root in _packages(calculator) for name in installed.get(root, ())}
    return {name: importlib.metadata.version(name) for name in sorted(names)}


@contextmanager
def accommodated(calculator: BaseCalculator) -> Iterator[None]:
    """Within, a calculator has subnormal numbers, and no more threads than are good for it."""
    threads = one_thread() if _packages(calculator) & ONE_THREAD else nullcontext()
    with threads, subnormal_numbers():
        yield


def _packages(calculator: BaseCalculator) -> set[str]:
    """The packages that a calculator's class and its bases come from."""
    return {own.__module__.partition(".")[0] for own in type(calculator).__mro__}
