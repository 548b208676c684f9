"""Built-in reference: aluminium boxes with ASE's effective medium theory (EMT).

EMT (Jacobsen, Stoltze, Nørskov, Surf. Sci. 366, 394 (1996)) is a sum of atomic energies, so the
true atomic energies that distillation tries to find are known here. Every group is one state of 32
or 31 atoms: a crystal shaken about its strained lattice, some with a vacancy, or a melt run by
Langevin dynamics at its own density and temperature.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import PositiveInt

from mlipkd.datasets.blocks import Block
from mlipkd.datasets.dataset import Dataset
from mlipkd.readers.source import Source

if TYPE_CHECKING:
    from ase import Atoms

    Labelled = tuple[Atoms, dict]

LATTICE_CONSTANT = 3.994  # Å, fcc aluminium at rest in EMT
STATE_SIZE = 16  # configurations of one state

LARGEST_STRAIN = 0.03  # isotropic
SHEAR = 0.015  # standard deviation of each component of the strain
CRYSTAL_TEMPERATURES = (300.0, 1200.0)  # K
DISPLACEMENT_AT_300_K = 0.10  # Å in each direction

MELT_TEMPERATURES = (900.0, 2500.0)  # K
MELT_VOLUMES = (0.95, 1.45)  # of the crystal's
MELTING_DISPLACEMENT = 0.35  # Å in each direction, to begin with
MELTING_STEPS = 40
STRIDE = 8  # steps between two configurations
TIME_STEP = 5.0  # fs


class AluminiumEMT(Source):
    """Aluminium boxes with the energies, forces and atomic energies of ASE's EMT potential."""

    reader: Literal["aluminium-emt"]
    configurations: PositiveInt = 320
    """How many configurations to make."""
    seed: int = 0
    """Seed of displacements, strains and velocities."""

    def read(self, name: str) -> Dataset:
        """One block for each state; energy, forces, stress and atomic energies, by the seed."""
        return self._dataset(name, self._states())

    def _states(self) -> Iterator[Block]:
        for first in range(0, self.configurations, STATE_SIZE):
            count = min(STATE_SIZE, self.configurations - first)
            state = first // STATE_SIZE
            rng = np.random.default_rng([self.seed, state])
            kind, sample = ("melt", _melt) if state % 2 else ("crystal", _crystal)
            yield _block(f"{kind} {state}", sample(rng, count))

    @property
    def computed(self) -> int:
        return self.configurations


def _box() -> "Atoms":
    from ase.build import bulk
    from ase.calculators.emt import EMT

    box = bulk("Al", a=LATTICE_CONSTANT, cubic=True) * (2, 2, 2)
    box.calc = EMT()
    return box


def _labelled(atoms: "Atoms") -> "Labelled":
    """A copy of the atoms, and their labels."""
    energy = atoms.get_potential_energy()
    return atoms.copy(), {
        "energy": energy,
        "forces": atoms.get_forces(),
        "atomic_energies": atoms.get_potential_energies(),
        "stress": atoms.get_stress(voigt=False),
    }


def _crystal(rng: np.random.Generator, count: int) -> list["Labelled"]:
    """A strained crystal, with a vacancy every other time, shaken as heat would shake it."""
    atoms = _box()
    strain = rng.normal(scale=SHEAR, size=(3, 3)) + np.eye(3) * rng.uniform(
        -LARGEST_STRAIN, LARGEST_STRAIN
    )
    atoms.set_cell(atoms.cell @ (np.eye(3) + (strain + strain.T) / 2), scale_atoms=True)
    if rng.random() < 0.5:
        del atoms[0]
    lattice = atoms.get_positions()  # (atoms, 3)
    configurations = []
    for temperature in rng.uniform(*CRYSTAL_TEMPERATURES, size=count):
        displacement = DISPLACEMENT_AT_300_K * np.sqrt(temperature / 300)
        atoms.set_positions(lattice + rng.normal(scale=displacement, size=lattice.shape))
        configurations.append(_labelled(atoms))
    return configurations


def _melt(rng: np.random.Generator, count: int) -> list["Labelled"]:
    """A melt at its own density and temperature, some steps from configuration to configuration."""
    from mlipkd.readers.molecules_xtb import hot_dynamics

    atoms = _box()
    atoms.set_cell(atoms.cell * rng.uniform(*MELT_VOLUMES) ** (1 / 3), scale_atoms=True)
    temperature = rng.uniform(*MELT_TEMPERATURES)
    atoms.positions += rng.normal(scale=MELTING_DISPLACEMENT, size=(len(atoms), 3))
    dynamics = hot_dynamics(atoms, temperature, TIME_STEP, rng)
    configurations = []
    for steps in [MELTING_STEPS] + [STRIDE] * (count - 1):
        dynamics.run(steps)
        configurations.append(_labelled(atoms))
    return configurations


def _block(place: str, configurations: list["Labelled"]) -> Block:
    """One state as a block."""
    return Block(
        place=place,
        species=configurations[0][0].numbers,
        positions=np.array([atoms.positions for atoms, _ in configurations]),
        cells=np.array([atoms.cell.array for atoms, _ in configurations]),
        labels={
            label: np.array([given[label] for _, given in configurations])
            for label in configurations[0][1]
        },
    )
