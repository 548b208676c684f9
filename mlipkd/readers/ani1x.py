"""The ANI-1x/1ccx release (Smith et al., Sci. Data 7, 134 (2020)): CHNO molecules, many levels.

Layout: a group for each formula with `atomic_numbers` (atoms), `coordinates` (configurations,
atoms, 3) and one array for each level and quantity, NaN where that level was not computed. Its
forces are true forces.
"""

from collections.abc import Iterator

import numpy as np

from mlipkd.config.sources import Ani1x
from mlipkd.datasets.blocks import Block
from mlipkd.errors import InputError
from mlipkd.readers import pyanitools
from mlipkd.units import HARTREE

ENERGY_UNIT = HARTREE
FORCE_UNIT = HARTREE  # per Å
FORCE_SIGN = 1
MASKED = ("forces",)


def read(source: Ani1x, notes: list[str]) -> Iterator[Block]:
    """Blocks of the files' formulas, without the configurations that lack the chosen energy.

    How many those are goes to ``notes``; forces that are missing stay NaN.
    """
    without, total = 0, 0
    for path in source.files:
        for place, group in pyanitools.groups_with(path, "atomic_numbers"):
            species = pyanitools.array(place, group, "atomic_numbers")
            energy = pyanitools.array(place, group, source.energy)
            keys = {"positions": "coordinates", "forces": source.forces}
            arrays = {
                what: _like(place, key, energy, pyanitools.array(place, group, key))
                for what, key in keys.items()
                if key
            }
            there = ~np.isnan(energy)  # (configurations,)
            labels = {"energy": energy[there].astype(float) * ENERGY_UNIT}
            if "forces" in arrays:
                labels["forces"] = arrays["forces"][there] * (FORCE_SIGN * FORCE_UNIT)
            without += len(energy) - len(labels["energy"])
            total += len(energy)
            yield Block(
                place=place if there.all() else f"{place}, of those with {source.energy}",
                species=species,
                positions=arrays["positions"][there],
                labels=labels,
                groups=np.full(there.sum(), group.name),
            )
    if without:
        notes.append(f"left out {without} of {total} configurations, which have no {source.energy}")


def _like(place: str, key: str, energy: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Values with a row for each energy, in double precision."""
    if energy.ndim != 1 or len(values) != len(energy):
        raise InputError(
            f"{place}: expected a row of {key!r} for each energy, got shapes {values.shape} and "
            f"{energy.shape}; fix the file"
        )
    return values.astype(float)
