"""What is timed: crystals of aluminium and small molecules, made here from nothing but a seed."""

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.collections import g2

#: Lattice constant of aluminium, Å; atoms in the cube of that side.
LATTICE_CONSTANT, IN_CUBE = 4.05, 4
#: Standard deviation of the displacements of an atom along each axis, Å.
RATTLE_CRYSTAL, RATTLE_MOLECULE = 0.1, 0.05
#: A molecule of 10 to 14 atoms has one of these beside it, so that 12 to 16 atoms are one system.
COMPANIONS = ("N2", "H2O", "HCN", "NH3")
#: How far beyond the molecule's outermost nucleus its companion's centre is, Å.
GAP = 3.0
#: Atoms of a molecule with its companion at most.
LARGEST = 16
CHNO = (1, 6, 7, 8)


def aluminium(atoms: int, seed: int = 0) -> Atoms:
    """A periodic cube of rattled fcc aluminium with this many atoms.

    It is the smallest cube that holds them; sites that are too many are left vacant at random.
    """
    generator = np.random.default_rng(seed)
    side = 1
    while IN_CUBE * side**3 < atoms:
        side += 1
    crystal = bulk("Al", "fcc", a=LATTICE_CONSTANT, cubic=True).repeat(side)
    kept = np.sort(generator.permutation(len(crystal))[:atoms])
    crystal = crystal[kept]
    crystal.positions += generator.normal(0, RATTLE_CRYSTAL, (atoms, 3))
    return crystal


def aluminium_boxes(number: int, atoms: int = 108) -> list[Atoms]:
    """Some boxes of aluminium that differ in how they are rattled."""
    return [aluminium(atoms, seed) for seed in range(number)]


def molecules(number: int, seed: int = 0) -> list[Atoms]:
    """Rattled molecules of C, H, N and O, 12 to 16 atoms with their companion, 14 on average."""
    generator = np.random.default_rng(seed)
    large = [
        name
        for name in g2.names
        if set(g2[name].numbers) <= set(CHNO) and 10 <= len(g2[name]) <= LARGEST - 2
    ]
    made = []
    for name in generator.choice(large, number):
        molecule = g2[str(name)]
        fitting = [small for small in COMPANIONS if len(molecule) + len(g2[small]) <= LARGEST]
        companion = g2[str(generator.choice(fitting))]
        direction = generator.normal(size=3)
        direction /= np.linalg.norm(direction)
        reach = (molecule.positions @ direction).max() + GAP
        companion.positions += reach * direction - companion.positions.mean(axis=0)
        pair = Atoms(molecule + companion)
        pair.positions += generator.normal(0, RATTLE_MOLECULE, (len(pair), 3))
        made.append(pair)
    return made
