"""Loading: the calculator that a settings file names by the import path of its class, the versions
of its packages, and the settings of the processor that they rely on.
"""

import importlib.metadata
import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress

from ase.calculators.calculator import BaseCalculator

from mlipkd.config.functions import Calculator
from mlipkd.errors import InputError
from mlipkd.imports import import_object, on_one_line
from mlipkd.jobs.device import one_thread, subnormal_numbers

#: Packages that take all cores for the smallest molecule.
ONE_THREAD = {"tblite"}


def load_calculator(where: str, settings: Calculator) -> BaseCalculator:
    """Import the class and make the calculator.

    Args:
        where: the file or key of the settings, for messages.
        settings: class and options.

    Raises:
        InputError: there is no such class, it is not an ASE calculator, does not take the options,
            or gives no energy.
    """
    cls = _class(where, settings.type)
    try:
        calculator = cls(**settings.options)
    except InputError:
        raise
    except Exception as error:  # a foreign class may raise anything
        raise InputError(
            f"{where}: calculator.options: expected what {settings.type} can be made with, got "
            f"{settings.options} ({on_one_line(error)}); see its documentation"
        ) from error
    if unknown := settings.options.keys() - _option_names(cls):
        print(
            f"warning: {where}: {settings.type} names no options called "
            f"{', '.join(sorted(unknown))}, and may ignore them; check their spelling",
            file=sys.stderr,
        )
    if "energy" not in calculator.implemented_properties:
        raise InputError(
            f"{where}: expected a calculator that gives an energy, got {settings.type}, which "
            f"gives {', '.join(calculator.implemented_properties) or 'nothing'}; choose another"
        )
    return calculator


def _class(where: str, path: str) -> type[BaseCalculator]:
    cls = import_object(f"{where}: calculator.type", path)
    if not (inspect.isclass(cls) and issubclass(cls, BaseCalculator)):
        raise InputError(
            f"{where}: calculator.type: expected a class of ASE calculators, got {path}, which is "
            "none; if it is a function that makes a calculator, name the class of what it makes"
        )
    return cls


def _option_names(cls: type[BaseCalculator]) -> set[str]:
    """Arguments of a class and of its bases, and ASE's default parameters."""
    names = set(getattr(cls, "default_parameters", {}))
    for base in cls.__mro__:
        with suppress(ValueError):  # of a class written in C
            names |= inspect.signature(base).parameters.keys()
    return names


def versions(calculator: BaseCalculator) -> dict[str, str]:
    """The versions of a calculator's packages, by the names they are installed by."""
    installed = importlib.metadata.packages_distributions()
    names = {name for root in _packages(calculator) for name in installed.get(root, ())}
    return {name: importlib.metadata.version(name) for name in sorted(names)}


@contextmanager
def accommodated(calculator: BaseCalculator) -> Iterator[None]:
    """Give a calculator subnormal numbers within, and no more threads than make it faster."""
    threads = one_thread() if _packages(calculator) & ONE_THREAD else nullcontext()
    with threads, subnormal_numbers():
        yield


def _packages(calculator: BaseCalculator) -> set[str]:
    """The packages that a calculator's class and its bases come from."""
    return {base.__module__.partition(".")[0] for base in type(calculator).__mro__}
