"""The packages that a calculator comes from: their versions, and what they count on."""

import importlib.metadata
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from ase.calculators.calculator import BaseCalculator

from mlipkd.device import subnormal_numbers
from mlipkd.openmp import one_thread

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
