"""The ANI-1x/1ccx release (Smith et al., Sci. Data 7, 134 (2020)): CHNO molecules, many levels.

Layout: a group for each formula with `atomic_numbers` (atoms), `coordinates` (configurations,
atoms, 3) and one array for each level and quantity, NaN where that level was not computed. Its
forces are true forces.
"""

from collections.abc import Iterator

import numpy as np

from mlipkd.config.dataset import Ani1x
from mlipkd.datasets.blocks import Block
from mlipkd.datasets.file import open_hdf5
from mlipkd.datasets.readers import pyanitools
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
        with open_hdf5(path) as file:
            for place, group in pyanitools.groups_with(file, "atomic_numbers"):
                energy = pyanitools.array(place, group, source.energy) * ENERGY_UNIT
                there = ~np.isnan(energy)  # (configurations,)
                positions = pyanitools.array(place, group, "coordinates")
                labels = {"energy": energy[there]}
                if source.forces:
                    forces = pyanitools.array(place, group, source.forces).astype(float)
                    labels["forces"] = forces[there] * FORCE_SIGN * FORCE_UNIT
                without += len(energy) - len(labels["energy"])
                total += len(energy)
                yield Block(
                    place=place,
                    species=pyanitools.array(place, group, "atomic_numbers"),
                    positions=positions[there].astype(float),
                    labels=labels,
                    groups=np.full(there.sum(), group.name),
                )
    if without:
        notes.append(f"left out {without} of {total} configurations, which have no {source.energy}")
