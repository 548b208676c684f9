"""Built-in reference: small CHNO molecules with GFN2-xTB, drawn by hot Langevin dynamics.

GFN2-xTB: Bannwarth, Ehlert, Grimme, J. Chem. Theory Comput. 15, 1652 (2019), by tblite. Every group
is one walker: a separate trajectory from the molecule at rest in ASE's G2 collection.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field, PositiveFloat, PositiveInt

from mlipkd.datasets.blocks import Block
from mlipkd.datasets.dataset import Dataset
from mlipkd.errors import InputError
from mlipkd.readers.source import Source

if TYPE_CHECKING:
    from ase import Atoms
    from ase.md.langevin import Langevin

ELEMENTS = {"C", "H", "N", "O"}
WALKER_SIZE = 100  # configurations of one walker
WARMING_STEPS = 100
STRIDE = 12  # steps between two configurations
TIME_STEP = 1.0  # fs
RESTARTS = 20  # of one walker, before its molecule is given up
FRICTION = 0.02  # 1/fs


class MoleculesXTB(Source):
    """Small CHNO molecules with the energies and forces of GFN2-xTB, sampled by hot dynamics."""

    reader: Literal["molecules-xtb"]
    configurations: PositiveInt = 1600
    """How many configurations to make, spread evenly over the molecules."""
    molecules: Annotated[tuple[str, ...], Field(min_length=1)] = ("CH3CH2OH",)
    """Molecules, by their names in ASE's G2 collection."""
    temperature: PositiveFloat = 1000.0
    """Temperature of the sampling, K."""
    seed: int = 0
    """Seed of the velocities and of the thermostat."""

    def read(self, name: str) -> Dataset:
        """One block for each walker; energy and forces, the same for the same seed.

        Raises:
            InputError: a molecule that is not in the G2 collection, or one that xTB cannot follow.
        """
        notes: list[str] = []
        return self._dataset(name, self._walkers(name, notes), notes=notes)

    def _walkers(self, name: str, notes: list[str]) -> Iterator[Block]:
        from mlipkd.jobs.device import one_thread

        for order, formula in enumerate(self.molecules):
            molecule = _molecule(name, formula)
            share = self.configurations * np.arange(order, order + 2) // len(self.molecules)
            for walker, first in enumerate(range(share[0], share[1], WALKER_SIZE)):
                rng = np.random.default_rng([self.seed, order, walker])
                place = f"{formula} walker {walker}"
                count = min(WALKER_SIZE, share[1] - first)
                with one_thread():
                    block, restarts = _walk(rng, molecule, place, count, self.temperature)
                if restarts:
                    notes.append(
                        f"{place}: started anew {restarts} times as the SCF did not converge"
                    )
                yield block

    @property
    def computed(self) -> int:
        return self.configurations


def _molecule(name: str, formula: str) -> "Atoms":
    from ase.collections import g2

    if formula not in g2.names or not set(g2[formula].symbols) <= ELEMENTS:
        known = [key for key in g2.names if set(g2[key].symbols) <= ELEMENTS and len(g2[key]) > 2]
        raise InputError(
            f"{name}: expected CHNO molecules of ASE's G2 collection, got {formula!r}; "
            f"choose from {', '.join(known)}"
        )
    return g2[formula]


def _walk(
    rng: np.random.Generator, molecule: "Atoms", place: str, count: int, temperature: float
) -> tuple[Block, int]:
    """One walker's block, and how often it had to start anew."""
    from ase.calculators.calculator import CalculationFailed
    from tblite.ase import TBLite

    drawn: list[dict[str, np.ndarray]] = []
    for restart in range(RESTARTS):
        atoms = molecule.copy()
        atoms.calc = TBLite(method="GFN2-xTB", verbosity=0)
        dynamics = hot_dynamics(atoms, temperature, TIME_STEP, rng)
        try:
            dynamics.run(WARMING_STEPS)
            while len(drawn) < count:
                dynamics.run(STRIDE)
                drawn.append(
                    {
                        "positions": atoms.get_positions(),
                        "energy": atoms.get_potential_energy(),
                        "forces": atoms.get_forces(),
                    }
                )
        except (CalculationFailed, RuntimeError):  # the SCF did not converge
            continue
        arrays = {key: np.array([sample[key] for sample in drawn]) for key in drawn[0]}
        return Block(place, molecule.numbers, arrays.pop("positions"), arrays), restart
    raise InputError(
        f"{place}: expected {count} configurations, got {len(drawn)} before the SCF failed "
        f"{RESTARTS} times; lower the temperature of {temperature:g} K"
    )


def hot_dynamics(
    atoms: "Atoms", temperature: float, time_step: float, rng: np.random.Generator
) -> "Langevin":
    """Langevin dynamics (K, fs) of atoms at rest, begun at twice the temperature.

    Half of the kinetic energy soon becomes potential energy.
    """
    from ase.md.langevin import Langevin
    from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
    from ase.units import fs

    MaxwellBoltzmannDistribution(atoms, temperature_K=2 * temperature, rng=rng)
    return Langevin(
        atoms,
        time_step * fs,
        temperature_K=temperature,
        friction=FRICTION / fs,
        fixcm=False,
        rng=rng,
    )
