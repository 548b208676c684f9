"""Guessing what a file is, from what is in it.

The names that labels have in a file that ASE reads, told from the file.

ASE gives energies, forces and stresses under names of its own, and what else a file holds under the
file's names: ``REF_energy``, ``dft_forces``, ``virials``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import h5py
import numpy as np
from ase import Atoms

from mlipkd.datasets.file import FORMAT, open_hdf5
from mlipkd.errors import InputError
from mlipkd.readers import READERS
from mlipkd.readers.ase_file import configurations, results


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
    for reader in READERS:
        if (needed := reader.recognise(keys)) is not None:
            return {"reader": get_args(reader.model_fields["reader"].annotation)[0], **needed}
    raise InputError(
        f"{path}: expected a layout that is known here, found groups of "
        f"{', '.join(sorted(keys)) or 'nothing'}; name its reader, or convert it to extended XYZ"
    )


def _keys_of_first_data_group(group: h5py.Group) -> set[str]:
    for item in group.values():
        if isinstance(item, h5py.Dataset):
            return set(group)
        if keys := _keys_of_first_data_group(item):
            return keys
    return set()


#: What stands before or after a quantity's name, likeliest first; all others come after these.
AFFIXES = ("", "ref_", "dft_", "free_")
#: What says that a number is no label: another energy, a part of one, or how sure it is.
NO_LABELS = {"kinetic", "dispersion", "per", "peratom", "sigma", "std", "stdev", "var", "variance",
             "err", "error", "uncert", "uncertainty", "weight", "weights"}  # fmt: skip


@dataclass(frozen=True)
class Names:
    """The names that may be labels, the likeliest first."""

    path: str
    energies: list[str]
    forces: list[str]
    stresses: list[str]
    virials: list[str]

    def keys(self, stated: Mapping[str, object]) -> dict[str, str | None]:
        """The likeliest of each that is not stated, as keys of the source's section.

        None without an energy. Forces with the energy's own affix (``dft_energy``, ``dft_forces``)
        come before others.

        Raises:
            InputError: there are several, and nothing tells which.
        """
        energy = stated.get("energy_key") or self._likeliest("energy_key", self.energies)
        if not isinstance(energy, str):
            return {}
        keys: dict[str, str | None] = {"energy_key": energy}
        if "forces_key" not in stated:
            keys["forces_key"] = self._partner("forces_key", energy, self.forces)
        if not {"stress_key", "virial_key"} & stated.keys():
            if self.stresses:
                keys["stress_key"] = self._partner("stress_key", energy, self.stresses)
            elif self.virials:
                keys["virial_key"] = self._partner("virial_key", energy, self.virials)
        return keys

    def _partner(self, key: str, energy: str, names: list[str]) -> str | None:
        """The name with the energy's affix, or the likeliest."""
        own = [name for name in names if _affix(name) == _affix(energy)]
        return own[0] if own else self._likeliest(key, names)

    def _likeliest(self, key: str, names: list[str]) -> str | None:
        if len(names) > 1 and _affix(names[0]) not in AFFIXES:
            option = key.replace("_", "-")
            raise InputError(
                f"{self.path}: expected one name that may be the {key}, found {', '.join(names)}; "
                f"say which it is with --{option}"
            )
        return names[0] if names else None


def names_in(path: str) -> Names:
    """The names in any configuration of several atoms, or in any where there is none of these.

    Raises:
        InputError: ASE does not read the file.
    """
    alone, found = _no_names(), _no_names()
    several = False
    for atoms in configurations(path):
        several |= len(atoms) > 1
        _collect(atoms, found if len(atoms) > 1 else alone)
    energies, forces, stresses, virials = (
        sorted(names, key=_rank) for names in (found if several else alone).values()
    )
    return Names(path, energies, forces, stresses, virials)


def _no_names() -> dict[str, set[str]]:
    return {"energy": set(), "force": set(), "stress": set(), "virial": set()}


def _collect(atoms: Atoms, names: dict[str, set[str]]) -> None:
    """Add the names of a configuration that have one of the words in them, and fitting numbers."""
    whole = {**results(atoms), **atoms.info}
    of_atoms = {**results(atoms), **atoms.arrays}
    tensors: list[tuple[int, ...]] = [(6,), (9,), (3, 3)]
    looked_at: list[tuple[str, dict[str, object], list[tuple[int, ...]]]] = [
        ("energy", whole, [()]),
        ("force", of_atoms, [(len(atoms), 3)]),
        ("stress", whole, tensors),
        ("virial", whole, tensors),
    ]
    for word, values, shapes in looked_at:
        names[word] |= {
            name
            for name, value in values.items()
            if word in name.lower()
            and not NO_LABELS & set(re.split("[^a-z]+", _affix(name)))
            and _numbers(value) in shapes
        }


def _numbers(value: object) -> tuple[int, ...] | None:
    """The shape of a value that is a number or an array of them; none of another."""
    array = np.asarray(value)
    return array.shape if array.dtype.kind in "fi" else None


def _affix(name: str) -> str:
    """What is left of a name without the quantity."""
    left = name.lower()
    for word in ("energy", "forces", "force", "stress", "virials", "virial"):
        left = left.replace(word, "")
    return left


def _rank(name: str) -> tuple[int, str]:
    affix = _affix(name)
    return (AFFIXES.index(affix) if affix in AFFIXES else len(AFFIXES), name)
