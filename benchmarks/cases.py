"""The cases: which model does what to which systems, and the ratio that is to be reached.

A teacher and a student of aluminium, with one interaction layer and directions; and a model of
molecules of C, H, N and O, with two interaction layers and quadrupoles. Their systems are rattled
crystals and molecules, made from a seed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.collections import g2

from mlipkd.config.model import Architecture

ALUMINIUM = (13,)
#: Lattice constant of aluminium, Å; atoms in the cube of that side.
LATTICE_CONSTANT, IN_CUBE = 4.05, 4
#: Standard deviation of the displacements of an atom along each axis, Å.
RATTLE_CRYSTAL, RATTLE_MOLECULE = 0.1, 0.05
#: A molecule of 10 to 14 atoms has one of these next to it, so that 12 to 16 atoms are one system.
COMPANIONS = ("N2", "H2O", "HCN", "NH3")
#: How far beyond the molecule's outermost nucleus its companion's centre is, Å.
GAP = 3.0
#: Atoms of a molecule with its companion at most.
LARGEST = 16
CHNO = (1, 6, 7, 8)


def aluminium(atoms: int, seed: int = 0) -> Atoms:
    """A periodic cube of rattled fcc aluminium with this many atoms.

    It is the smallest cube that holds them, with vacancies at random on the remaining sites.
    """
    generator = np.random.default_rng(seed)
    side = 1
    while IN_CUBE * side**3 < atoms:
        side += 1
    crystal = bulk("Al", "fcc", a=LATTICE_CONSTANT, cubic=True).repeat(side)
    occupied = np.sort(generator.permutation(len(crystal))[:atoms])
    crystal = crystal[occupied]
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


def _aluminium(width: int, sensitivities: int) -> Architecture:
    return Architecture(
        n_interactions=1,
        l_max=1,
        atom_layers=4,
        width=width,
        sensitivities=sensitivities,
        soft_min=1.5,
        soft_max=7.0,
        hard_max=7.5,
    )


TEACHER, STUDENT = _aluminium(128, 40), _aluminium(32, 16)
MOLECULES = Architecture(
    n_interactions=2,
    l_max=2,
    atom_layers=4,
    width=128,
    sensitivities=20,
    soft_min=0.75,
    soft_max=5.5,
    hard_max=6.5,
)


@dataclass(frozen=True)
class Case:
    """One row of the tables."""

    key: str
    kind: Literal["inference", "training"]
    """Energy and forces, or a step of training on both."""
    shape: Architecture
    species: tuple[int, ...]
    systems: Callable[[], list[Atoms]]
    bar: float | None = None
    """The ratio to be reached: hippynn's time at its best divided by ours."""
    gpu_bar: float | None = None
    """The same on a GPU."""

    @property
    def quick(self) -> bool:
        """Whether the quick run has it, too."""
        return self.bar is not None

    @property
    def ours_only(self) -> bool:
        """Whether it is too large for hippynn, and only ours is measured."""
        return self.key.endswith("00000")


def _crystal(
    model: str, shape: Architecture, atoms: int, bar: float | None = None, gpu: float | None = None
) -> Case:
    key = f"al_{model}_inference_{atoms}"
    return Case(key, "inference", shape, ALUMINIUM, lambda: [aluminium(atoms)], bar, gpu)


def _boxes(model: str, shape: Architecture, boxes: int, bar: float, gpu: float) -> Case:
    systems = partial(aluminium_boxes, boxes)
    return Case(f"al_{model}_train", "training", shape, ALUMINIUM, systems, bar, gpu)


def _molecules(
    kind: Literal["inference", "training"],
    number: int,
    bar: float | None = None,
    gpu: float | None = None,
) -> Case:
    key = f"chno_{'train' if kind == 'training' else kind}_{number}"
    return Case(key, kind, MOLECULES, CHNO, partial(molecules, number), bar, gpu)


CASES = {
    case.key: case
    for case in (
        _crystal("teacher", TEACHER, 108),
        _crystal("teacher", TEACHER, 2048, 9, 5),
        _crystal("teacher", TEACHER, 18634, 9, 5),
        _crystal("teacher", TEACHER, 100000),
        _crystal("teacher", TEACHER, 1000000),
        _crystal("student", STUDENT, 108),
        _crystal("student", STUDENT, 2048, 9, 5),
        _crystal("student", STUDENT, 18634),
        _crystal("student", STUDENT, 100000),
        _crystal("student", STUDENT, 1000000),
        _boxes("teacher", TEACHER, 16, 9, 4),
        _boxes("student", STUDENT, 8, 9, 4),
        _molecules("inference", 128, 8.5, 5),
        _molecules("inference", 512),
        _molecules("training", 128, 8.5, 4),
    )
}
