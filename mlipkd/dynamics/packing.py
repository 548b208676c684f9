"""Boxes of molecules at a given density, as a start for dynamics.

By packmol (L. Martínez et al., J. Comput. Chem. 30, 2157 (2009), doi 10.1002/jcc.21224) where that
program is installed; elsewhere on a lattice, each molecule turned so that it keeps clear of those
around it.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.collections import g2
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation
from vesin import NeighborList

from mlipkd.errors import InputError
from mlipkd.jobs.device import subnormal_numbers
from mlipkd.units import GRAM_PER_CM3

#: The usual tolerance of packmol, Å.
USUAL = 2.0
#: How far apart packmol puts atoms of different molecules, Å: the first with which it succeeds. At
#: its usual distance a box of CH3ONO is strained by 0.05 eV/atom (GFN1-xTB) against the lattice,
#: which heats it from 300 to 500 K within 50 fs; at 2.5 Å by less than a tenth of that.
TOLERANCES = (2.5, USUAL)
#: Atoms of different molecules that are closer overlap, Å: no two atoms touch at such a distance
#: unless they are bonded, so that a trajectory would begin with a collision.
OVERLAP = 1.5
#: On a lattice: orientations that are tried of a molecule, and how often each has its turn.
ORIENTATIONS, TURNS = 50, 3


def pack(
    molecules: Sequence[tuple[np.ndarray, int]],
    side: float,
    seed: int,
    tolerances: Sequence[float] = (USUAL,),
) -> tuple[np.ndarray, str]:
    """Put molecules into a cubic box with packmol, half a tolerance away from the walls.

    Molecules on both sides of a wall are then a tolerance apart.

    Args:
        molecules: positions (atoms, 3) in Å, and how many of each there are.
        side: of the box, Å.
        seed: of places and orientations.
        tolerances: how far apart atoms of different molecules are, Å: the first that succeeds.

    Returns:
        Positions (all atoms, 3), molecules in their order; and the program and tolerance, in words.

    Raises:
        InputError: packmol is not installed, or cannot pack so densely.
    """
    program = shutil.which("packmol")
    if program is None:
        raise InputError(
            "expected the program packmol, which is not installed; install it (Debian: apt-get "
            "install packmol)"
        )
    for tolerance in tolerances:
        with tempfile.TemporaryDirectory() as folder:
            for number, (positions, _) in enumerate(molecules):
                molecule = Atoms(f"X{len(positions)}", positions)
                ase.io.write(Path(folder, f"molecule{number}.xyz"), molecule, format="xyz")
            text = _packmol_input([count for _, count in molecules], side, tolerance, seed)
            Path(folder, "input").write_text(text)
            with open(Path(folder, "input")) as file:  # a file: packmol reads it twice
                done = subprocess.run(
                    [program], stdin=file, cwd=folder, capture_output=True, text=True, check=False
                )
            if "Success!" in done.stdout:
                packed = next(ase.io.iread(Path(folder, "packed.xyz"), format="xyz"))
                version = done.stdout.partition("Version")[2].split()[0]
                return packed.get_positions(), f"packmol {version}, {tolerance} Å apart"
    raise InputError(
        f"expected {sum(count for _, count in molecules)} molecules packed into a box of "
        f"{side:.2f} Å, {min(tolerances)} Å apart; {program} could not "
        f"({(done.stderr or done.stdout).strip()[-100:]!r}); lower the density"
    )


def _packmol_input(counts: Sequence[int], side: float, tolerance: float, seed: int) -> str:
    low, high = tolerance / 2, side - tolerance / 2
    structures = [
        f"""\
structure molecule{number}.xyz
  number {count}
  inside box {low} {low} {low} {high} {high} {high}
end structure
"""
        for number, count in enumerate(counts)
    ]
    head = f"tolerance {tolerance}\nfiletype xyz\noutput packed.xyz\nseed {seed}\n"
    return head + "".join(structures)


def g2_molecule(name: str) -> Atoms:
    """A molecule of ASE's G2 collection; raises InputError if there is none of this name."""
    if name not in g2.names:
        raise InputError(
            f"expected a molecule of ASE's G2 collection, got {name!r}; choose from "
            f"{', '.join(sorted(g2.names))}"
        )
    return g2[name]


def liquid(molecule: str, number: int, density: float, seed: int) -> Atoms:
    """A periodic box of molecules, the same for the same seed; ``info["packed"]`` tells how.

    Bonds and angles are those of the molecule's minimum, and the liquid is not at equilibrium.

    Args:
        molecule: by its name in ASE's G2 collection.
        number: of molecules.
        density: g/cm^3.
        seed: of places and orientations.

    Raises:
        InputError: a molecule that is not in the collection, or one that cannot be packed so
            densely without overlaps.
    """
    single = g2_molecule(molecule)
    single.positions -= single.positions.mean(axis=0)
    side = (number * single.get_masses().sum() / (density * GRAM_PER_CM3)) ** (1 / 3)  # Å
    program = shutil.which("packmol")
    if program:
        positions, packed = pack([(single.positions, number)], side, seed, TOLERANCES)
    else:
        positions, packed = _on_a_lattice(single, number, side, np.random.default_rng(seed))
    box = Atoms(np.tile(single.numbers, number), positions, cell=[side] * 3, pbc=True)
    box.info["packed"] = packed
    closest = closest_molecules(box, len(single))
    if closest < OVERLAP:
        raise InputError(
            f"expected {number} {molecule} at {density:g} g/cm³ with atoms of different molecules "
            f"at least {OVERLAP} Å apart, got {closest:.2f} Å ({packed}); lower the density or "
            "take other numbers of molecules" + ("" if program else ", or install packmol")
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
    for moved in [*range(number)] * TURNS:
        turned = Rotation.random(ORIENTATIONS, rng).as_matrix()
        tried = molecule.positions @ turned + sites[moved]  # (orientations, atoms, 3)
        # A remainder may be rounded to the side itself, which the tree does not take.
        others = np.delete(placed, moved, axis=0).reshape(-1, 3) % side % side
        with subnormal_numbers():
            tree = cKDTree(others, boxsize=side)
        distances, _ = tree.query(tried.reshape(-1, 3) % side)  # (orientations * atoms,)
        best = distances.reshape(ORIENTATIONS, -1).min(axis=1).argmax()
        placed[moved] = tried[best]
    return placed.reshape(-1, 3), f"{name} lattice"
