"""Guessing what a file is, and the names of its labels, from what is in it.

An HDF5 file is told by its arrays, which each reader knows. Everything else is taken for a file
that ASE reads. ASE gives energies, forces and stresses under its own names, and everything else
under the names of the file: ``REF_energy``, ``dft_forces``, ``virials``.
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

#: What stands before or after a quantity's name, likeliest first; all others come after these.
AFFIXES = ("", "ref_", "dft_", "free_")
#: What says that a number is no label: another energy, a part of it, or its uncertainty.
NO_LABELS = {"kinetic", "dispersion", "per", "peratom", "sigma", "std", "stdev", "var", "variance",
             "err", "error", "uncert", "uncertainty", "weight", "weights"}  # fmt: skip


def is_canonical(path: Path) -> bool:
    """Whether a file is a dataset that ``mlipkd dataset`` wrote."""
    if not h5py.is_hdf5(path):
        return False
    with open_hdf5(path) as file:
        return file.attrs.get("format") == FORMAT


def guess_source(path: Path, stated: Mapping[str, object] | None = None) -> dict[str, str | None]:
    """The reader that fits a file, and the keys that its section needs beyond those stated.

    Raises:
        InputError: an HDF5 file of no known layout, a file that ASE does not read, or one with
            several names of which nothing tells which is the label's.
    """
    if not h5py.is_hdf5(path):
        return {"reader": "ase", **names_in(str(path)).keys(stated or {})}
    with open_hdf5(path) as file:
        arrays = _arrays_of_first_group(file["/"])
    for reader in READERS:
        if (keys := reader.recognise(arrays)) is not None:
            return {"reader": get_args(reader.model_fields["reader"].annotation)[0], **keys}
    raise InputError(
        f"{path}: expected a layout that is known here, found groups of "
        f"{', '.join(sorted(arrays)) or 'nothing'}; name its reader, or convert it to extended XYZ"
    )


def _arrays_of_first_group(group: h5py.Group) -> set[str]:
    """The names in the first group that holds arrays."""
    for item in group.values():
        if isinstance(item, h5py.Dataset):
            return set(group)
        if arrays := _arrays_of_first_group(item):
            return arrays
    return set()


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

        None without an energy. Forces with the affix of the energy (``dft_energy``, ``dft_forces``)
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
        same = [name for name in names if _affix(name) == _affix(energy)]
        return same[0] if same else self._likeliest(key, names)

    def _likeliest(self, key: str, names: list[str]) -> str | None:
        if len(names) > 1 and _affix(names[0]) not in AFFIXES:
            option = key.replace("_", "-")
            raise InputError(
                f"{self.path}: expected one name that may be the {key}, found {', '.join(names)}; "
                f"say which it is with --{option}"
            )
        return names[0] if names else None


def names_in(path: str) -> Names:
    """The names in any configuration of several atoms or, without these, in any single atom.

    Raises:
        InputError: ASE does not read the file.
    """
    of_single_atoms, of_several_atoms = _no_names(), _no_names()
    any_several = False
    for atoms in configurations(path):
        several = len(atoms) > 1
        any_several |= several
        _collect(atoms, of_several_atoms if several else of_single_atoms)
    names = of_several_atoms if any_several else of_single_atoms
    energies, forces, stresses, virials = (sorted(names[word], key=_rank) for word in names)
    return Names(path, energies, forces, stresses, virials)


def _no_names() -> dict[str, set[str]]:
    return {"energy": set(), "force": set(), "stress": set(), "virial": set()}


def _collect(atoms: Atoms, names: dict[str, set[str]]) -> None:
    """Add the names of a configuration that contain a quantity's word, with numbers that fit it."""
    of_configuration = {**results(atoms), **atoms.info}
    of_atoms = {**results(atoms), **atoms.arrays}
    tensors: list[tuple[int, ...]] = [(6,), (9,), (3, 3)]
    quantities: list[tuple[str, dict[str, object], list[tuple[int, ...]]]] = [
        ("energy", of_configuration, [()]),
        ("force", of_atoms, [(len(atoms), 3)]),
        ("stress", of_configuration, tensors),
        ("virial", of_configuration, tensors),
    ]
    for word, values, shapes in quantities:
        names[word] |= {
            name
            for name, value in values.items()
            if word in name.lower()
            and not NO_LABELS & set(re.split("[^a-z]+", _affix(name)))
            and _numeric_shape(value) in shapes
        }


def _numeric_shape(value: object) -> tuple[int, ...] | None:
    """The shape of a number or of an array of numbers; none of anything else."""
    array = np.asarray(value)
    return array.shape if array.dtype.kind in "fi" else None


def _affix(name: str) -> str:
    """What is left of a name without the quantity."""
    affix = name.lower()
    for word in ("energy", "forces", "force", "stress", "virials", "virial"):
        affix = affix.replace(word, "")
    return affix


def _rank(name: str) -> tuple[int, str]:
    affix = _affix(name)
    return (AFFIXES.index(affix) if affix in AFFIXES else len(AFFIXES), name)
