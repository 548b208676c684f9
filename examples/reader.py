"""A reader of one's own: the raw files of DeePMD-kit, tables of numbers with a line for each frame.

https://docs.deepmodeling.com/projects/deepmd/en/stable/data/system.html
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

TABLES = ("box", "coord", "energy", "force")


def read(files: list[str], elements: list[str]) -> Iterator[Atoms]:
    """The frames of each folder with ``type.raw`` and ``{box,coord,energy,force}.raw``.

    Args:
        files: all of them, in eV and Å as DeePMD-kit has them.
        elements: the chemical symbols of the types 0, 1, …
    """
    for folder in dict.fromkeys(Path(file).parent for file in files):
        symbols = [elements[kind] for kind in np.loadtxt(folder / "type.raw", int, ndmin=1)]
        tables = (np.loadtxt(folder / f"{name}.raw", ndmin=2) for name in TABLES)
        for box, coord, energy, force in zip(*tables, strict=True):
            atoms = Atoms(symbols, coord.reshape(-1, 3), cell=box.reshape(3, 3), pbc=True)
            atoms.info["group"] = str(folder)
            atoms.calc = SinglePointCalculator(
                atoms, energy=energy.item(), forces=force.reshape(-1, 3)
            )
            yield atoms
