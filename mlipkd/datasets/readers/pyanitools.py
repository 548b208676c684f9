"""The pyanitools layout: groups that hold `species` once and arrays over configurations."""

from collections.abc import Iterator

import h5py
import numpy as np
from ase.data import atomic_numbers

from mlipkd.errors import InputError


def groups_with(file: h5py.File, key: str) -> Iterator[tuple[str, h5py.Group]]:
    """Every group of a file that holds ``key``, with its place, in the file's order.

    Raises:
        InputError: no group holds it.
    """
    found = False
    waiting: list[h5py.Group] = [file["/"]]
    while waiting:
        group = waiting.pop(0)
        waiting = [item for item in group.values() if isinstance(item, h5py.Group)] + waiting
        if key in group:
            found = True
            yield f"{file.filename}:{group.name}", group
    if not found:
        raise InputError(
            f"{file.filename}: wanted groups with {key!r}, found none; "
            "choose the reader of its layout"
        )


def array(place: str, group: h5py.Group, key: str) -> np.ndarray:
    """A dataset of numbers of a group.

    Raises:
        InputError: it is missing, or holds no numbers.
    """
    if not isinstance(group.get(key), h5py.Dataset):
        raise InputError(
            f"{place}: wanted {key!r}, found {', '.join(group) or 'nothing'}; "
            "choose the reader of this layout, or mend the file"
        )
    if group[key].dtype.kind not in "fiu":
        raise InputError(
            f"{place}: wanted numbers in {key!r}, got {group[key].dtype}; mend the file"
        )
    return group[key][()]


def species(place: str, group: h5py.Group) -> np.ndarray:
    """Atomic numbers of a group's `species`, which holds element symbols: (atoms,).

    Raises:
        InputError: a symbol that is no element's.
    """
    symbols = [bytes(symbol).decode("ascii", "replace") for symbol in group["species"][()].ravel()]
    for index, symbol in enumerate(symbols):
        if symbol not in atomic_numbers or symbol == "X":
            raise InputError(
                f"{place}: wanted element symbols in 'species', got {symbol!r} for atom {index}; "
                "mend or remove the group"
            )
    return np.array([atomic_numbers[symbol] for symbol in symbols], np.uint8)
