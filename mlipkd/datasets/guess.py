"""Guessing what a file is, from what is in it."""

from collections.abc import Mapping
from pathlib import Path

import h5py

from mlipkd.datasets.file import FORMAT, open_hdf5
from mlipkd.datasets.readers.ase_names import names_in
from mlipkd.errors import InputError


def is_canonical(path: Path) -> bool:
    """Whether a file is a dataset that ``mlipkd dataset`` wrote."""
    if not h5py.is_hdf5(path):
        return False
    with open_hdf5(path) as file:
        return file.attrs.get("format") == FORMAT


def guess_source(path: Path, stated: Mapping[str, object] | None = None) -> dict[str, str | None]:
    """The reader that fits a file made by others, and the keys it needs beside those stated.

    Raises:
        InputError: an HDF5 file of no known layout, a file that ASE does not read, or one with
            several names of which nothing tells which is the label's.
    """
    if not h5py.is_hdf5(path):
        return {"reader": "ase", **names_in(str(path)).keys(stated or {})}
    with open_hdf5(path) as file:
        keys = _keys_of_first_data_group(file["/"])
    if {"species", "cell", "force"} <= keys:
        return {"reader": "ani-al"}
    if {"species", "energies", "forces", "hessian"} <= keys:
        return {"reader": "openreact"}
    if {"species", "energies"} <= keys:
        return {"reader": "comp6"}
    levels = sorted(key.removesuffix(".energy") for key in keys if key.endswith(".energy"))
    if "atomic_numbers" in keys and levels:
        with_forces = [level for level in levels if f"{level}.forces" in keys]
        level = (with_forces or levels)[0]
        forces = f"{level}.forces" if with_forces else None
        return {"reader": "ani1x", "energy": f"{level}.energy", "forces": forces}
    raise InputError(
        f"{path}: wanted a layout that is known here, found groups of "
        f"{', '.join(sorted(keys)) or 'nothing'}; name its reader, or convert it to extended XYZ"
    )


def _keys_of_first_data_group(group: h5py.Group) -> set[str]:
    for item in group.values():
        if isinstance(item, h5py.Dataset):
            return set(group)
        if keys := _keys_of_first_data_group(item):
            return keys
    return set()
