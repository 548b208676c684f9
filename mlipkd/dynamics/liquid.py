"""Liquids: a cubic box of molecules at a given density, as a start for dynamics.

By packmol, where that program is installed; elsewhere on a lattice, each molecule turned so that it
keeps clear of those around it.
"""

import shutil

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.collections import g2
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation
from vesin import NeighborList

from mlipkd.device import subnormal_numbers
from mlipkd.dynamics.packmol import USUAL, pack
from mlipkd.errors import InputError
from mlipkd.units import GRAM_PER_CM3

#: How far apart packmol puts atoms of different molecules, Å: the first with which it succeeds. At
#: its usual distance a box of CH3ONO is strained by 0.05 eV/atom (GFN1-xTB) against the lattice
#: below, which heats it from 300 to 500 K within 50 fs; at 2.5 Å by less than a tenth of that.
TOLERANCES = (2.5, USUAL)
#: Atoms of different molecules that are closer overlap, Å: no two atoms touch at such a distance
#: unless they are bonded, so that a trajectory would begin with a collision.
OVERLAP = 1.5
#: On a lattice: orientations that are tried of a molecule, and how often each has its turn.
ORIENTATIONS, TURNS = 50, 3


def liquid(molecule: str, number: int, density: float, seed: int) -> Atoms:
    """A periodic box of molecules, the same for the same seed; ``info["packed"]`` tells how.

    Bonds and angles are those of the molecule at rest, and the liquid is not at equilibrium.

    Args:
        molecule: by its name in ASE's G2 collection.
        number: of molecules.
        density: g/cm^3.
        seed: of places and orientations.

    Raises:
        InputError: a molecule that is not in the collection, or one that cannot be packed so
            densely without overlaps.
    """
    if molecule not in g2.names:
        raise InputError(
            f"wanted a molecule of ASE's G2 collection, got {molecule!r}; choose from "
            f"{', '.join(sorted(g2.names))}"
        )
    one = g2[molecule]
    one.positions -= one.positions.mean(axis=0)
    side = (number * one.get_masses().sum() / (density * GRAM_PER_CM3)) ** (1 / 3)  # Å
    program = shutil.which("packmol")
    if program:
        positions, packed = pack([(one.positions, number)], side, seed, TOLERANCES)
    else:
        positions, packed = _on_a_lattice(one, number, side, np.random.default_rng(seed))
    box = Atoms(np.tile(one.numbers, number), positions, cell=[side] * 3, pbc=True)
    box.info["packed"] = packed
    closest = closest_molecules(box, len(one))
    if closest < OVERLAP:
        raise InputError(
            f"wanted {number} {molecule} at {density:g} g/cm³ with atoms of different molecules at "
            f"least {OVERLAP} Å apart, got {closest:.2f} Å ({packed}); lower the density or take "
            "other numbers of molecules" + ("" if program else ", or install packmol")
        )
    return box


def closest_molecules(box: Atoms, size: int) -> float:
    """The shortest distance between atoms of molecules of ``size`` atoms and of their images, Å.

    Infinite if it is more than the largest of ``TOLERANCES``.
    """
    search = NeighborList(cutoff=max(TOLERANCES), full_list=False, n_threads=1)
    i, j, shifts, distances = search.compute(box.positions, box.cell.array, True, "ijSd")
    other = (i // size != j // size) | shifts.any(axis=1)
    return distances[other].min(initial=np.inf)


def _on_a_lattice(
    molecule: Atoms, number: int, side: float, rng: np.random.Generator
) -> tuple[np.ndarray, str]:
    """Positions (atoms, 3) on the cubic lattice whose sites are farthest apart; and which it is."""
    lattices = []
    for name, basis, spacing in (("sc", 1, 1), ("bcc", 2, 3**0.5 / 2), ("fcc", 4, 0.5**0.5)):
        repeats = int(np.ceil((number / basis) ** (1 / 3) - 1e-9))
        lattices.append((spacing / repeats, name, repeats))
    _, name, repeats = max(lattices)
    lattice = bulk("X", name, a=side / repeats, cubic=True).repeat(repeats)
    sites = rng.choice(lattice.positions, number, replace=False)  # (molecules, 3)
    placed = np.repeat(sites[:, None], len(molecule), axis=1)  # (molecules, atoms, 3)
    for one in [*range(number)] * TURNS:
        turned = Rotation.random(ORIENTATIONS, rng).as_matrix()
        tried = molecule.positions @ turned + sites[one]  # (orientations, atoms, 3)
        # A remainder may be rounded to the side itself, and the tree wants less.
        others = np.delete(placed, one, axis=0).reshape(-1, 3) % side % side
        with subnormal_numbers():
            tree = cKDTree(others, boxsize=side)
        distances, _ = tree.query(tried.reshape(-1, 3) % side)  # (orientations * atoms,)
        best = distances.reshape(ORIENTATIONS, -1).min(axis=1).argmax()
        placed[one] = tried[best]
    return placed.reshape(-1, 3), f"{name} lattice"
