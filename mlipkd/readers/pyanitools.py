"""The pyanitools layout: HDF5 groups that hold `species` once and arrays over configurations."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from mlipkd.errors import InputError

if TYPE_CHECKING:
    import h5py


def groups_with(path: str, key: str) -> Iterator[tuple[str, "h5py.Group"]]:
    """Every group of a file that holds ``key``, with its place, in the file's order.

    Raises:
        InputError: the file cannot be read, or no group holds the key.
    """
    import h5py

    from mlipkd.datasets.file import open_hdf5

    any_holds_it = False
    with open_hdf5(path) as file:
        waiting: list[h5py.Group] = [file["/"]]
        while waiting:
            group = waiting.pop(0)
            inside = [item for item in group.values() if isinstance(item, h5py.Group)]
            waiting = inside + waiting
            if key in group:
                any_holds_it = True
                yield f"{path}:{group.name}", group
    if not any_holds_it:
        raise InputError(
            f"{path}: expected groups with {key!r}, found none; choose the reader of its layout"
        )


def array(place: str, group: "h5py.Group", key: str) -> np.ndarray:
    """A group's numbers, whatever their shape.

    Raises:
        InputError: they are missing, damaged, or no numbers.
    """
    values = _read(place, group, key)
    if values.dtype.kind not in "fiu":
        raise InputError(f"{place}: expected numbers in {key!r}, got {values.dtype}; fix the file")
    return values


def species(place: str, group: "h5py.Group") -> np.ndarray:
    """Atomic numbers of a group's `species`, which holds element symbols: (atoms,).

    Raises:
        InputError: a symbol that is no element's.
    """
    from ase.data import atomic_numbers

    values = _read(place, group, "species").ravel()
    symbols = [value.decode("ascii", "replace") for value in values.astype("S").tolist()]
    for index, symbol in enumerate(symbols):
        if symbol not in atomic_numbers or symbol == "X":
            raise InputError(
                f"{place}: expected element symbols in 'species', got {symbol!r} for atom {index}; "
                "fix or remove the group"
            )
    return np.array([atomic_numbers[symbol] for symbol in symbols], int)


def _read(place: str, group: "h5py.Group", key: str) -> np.ndarray:
    import h5py

    from mlipkd.datasets.file import damaged

    try:
        data = group.get(key)
        if isinstance(data, h5py.Dataset):
            return np.atleast_1d(data[()])
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        raise damaged(place, error) from error
    raise InputError(
        f"{place}: expected {key!r}, found {', '.join(group) or 'nothing'}; "
        "choose the reader of this layout, or fix the file"
    )
