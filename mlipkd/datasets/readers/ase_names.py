"""The names that labels have in a file that ASE reads, told from the file.

ASE gives energies, forces and stresses under names of its own, and what else a file holds under the
file's names: ``REF_energy``, ``dft_forces``, ``virials``.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mlipkd.datasets.readers.ase_file import frames, results

#: What stands before or after a quantity's name, likeliest first; all others come after these.
AFFIXES = ("", "ref_", "dft_", "free_")


@dataclass(frozen=True)
class Names:
    """The names that may be labels, the likeliest first."""

    energies: list[str]
    forces: list[str]
    stresses: list[str]
    virials: list[str]

    def keys(self) -> dict[str, str | None]:
        """The likeliest of each, as keys of the source's section; none without an energy.

        Forces with the energy's own affix (``dft_energy``, ``dft_forces``) come before others.
        """
        if not self.energies:
            return {}
        energy = self.energies[0]
        keys: dict[str, str | None] = {
            "energy_key": energy,
            "forces_key": _partner(energy, self.forces),
        }
        if self.stresses:
            keys["stress_key"] = _partner(energy, self.stresses)
        elif self.virials:
            keys["virial_key"] = _partner(energy, self.virials)
        return keys


def names_in(path: str) -> Names:
    """The names in the first configuration of several atoms, or in the first where there is none.

    Raises:
        InputError: ASE does not read the file.
    """
    found = frames(path)
    first = next(found)
    atoms = first if len(first) > 1 else next((own for own in found if len(own) > 1), first)
    whole = {**results(atoms), **atoms.info}
    of_atoms = {**results(atoms), **atoms.arrays}
    tensors = [(6,), (9,), (3, 3)]
    return Names(
        energies=_called("energy", whole, [()]),
        forces=_called("force", of_atoms, [(len(atoms), 3)]),
        stresses=_called("stress", whole, tensors),
        virials=_called("virial", whole, tensors),
    )


def _called(word: str, values: Mapping[str, object], shapes: list[tuple]) -> list[str]:
    """The names with the word in them whose values are numbers of one of the shapes."""
    fitting = [
        name for name, value in values.items() if word in name.lower() and _numbers(value) in shapes
    ]
    return sorted(fitting, key=_rank)


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


def _partner(energy: str, names: list[str]) -> str | None:
    """The name with the energy's affix, or the likeliest."""
    own = [name for name in names if _affix(name) == _affix(energy)]
    return next(iter(own or names), None)
