"""Built-in reference: small CHNO molecules with GFN2-xTB, drawn by hot Langevin dynamics.

GFN2-xTB: Bannwarth, Ehlert, Grimme, J. Chem. Theory Comput. 15, 1652 (2019), by tblite. Every group
is one walker: a trajectory of its own from the molecule at rest in ASE's G2 collection.

Sampling: hot dynamics that draws the configurations of the built-in references.
"""

import numpy as np
from ase import Atoms
from ase.calculators.calculator import CalculationFailed
from ase.collections import g2
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from ase.units import fs
from tblite.ase import TBLite

from mlipkd.config.sources import MoleculesXTB
from mlipkd.datasets.blocks import Block, assemble
from mlipkd.datasets.dataset import Dataset
from mlipkd.errors import InputError
from mlipkd.jobs.device import one_thread
from mlipkd.jobs.provenance import record

ELEMENTS = {"C", "H", "N", "O"}
WALKER_SIZE = 100  # configurations of one walker
WARMING_STEPS = 100
STRIDE = 12  # steps between two configurations
TIME_STEP = 1.0  # fs
RESTARTS = 20  # of one walker, before its molecule is given up


def make(name: str, source: MoleculesXTB) -> Dataset:
    """Molecules with energy and forces, the same for the same seed.

    Raises:
        InputError: a molecule that is not in the G2 collection, or one that xTB cannot follow.
    """
    blocks, notes = [], []
    for order, formula in enumerate(source.molecules):
        molecule = _molecule(name, formula)
        share = source.configurations * np.arange(order, order + 2) // len(source.molecules)
        for walker, first in enumerate(range(share[0], share[1], WALKER_SIZE)):
            rng = np.random.default_rng([source.seed, order, walker])
            place = f"{formula} walker {walker}"
            count = min(WALKER_SIZE, share[1] - first)
            with one_thread():
                block, restarts = _walk(rng, molecule, place, count, source.temperature)
            blocks.append(block)
            if restarts:
                notes.append(f"{place}: started anew {restarts} times as the SCF did not converge")
    return assemble(name, blocks, record(source=source.model_dump(mode="json"), notes=notes))


def _molecule(name: str, formula: str) -> Atoms:
    if formula not in g2.names or not set(g2[formula].symbols) <= ELEMENTS:
        known = [key for key in g2.names if set(g2[key].symbols) <= ELEMENTS and len(g2[key]) > 2]
        raise InputError(
            f"{name}: expected CHNO molecules of ASE's G2 collection, got {formula!r}; "
            f"choose from {', '.join(known)}"
        )
    return g2[formula]


def _walk(
    rng: np.random.Generator, molecule: Atoms, place: str, count: int, temperature: float
) -> tuple[Block, int]:
    """One walker's block, and how often it had to start anew."""
    frames: list[dict[str, np.ndarray]] = []
    for restart in range(RESTARTS):
        atoms = molecule.copy()
        atoms.calc = TBLite(method="GFN2-xTB", verbosity=0)
        dynamics = hot_dynamics(atoms, temperature, TIME_STEP, rng)
        try:
            dynamics.run(WARMING_STEPS)
            while len(frames) < count:
                dynamics.run(STRIDE)
                frames.append(
                    {
                        "positions": atoms.get_positions(),
                        "energy": atoms.get_potential_energy(),
                        "forces": atoms.get_forces(),
                    }
                )
        except (CalculationFailed, RuntimeError):  # the SCF did not converge
            continue
        arrays = {key: np.array([frame[key] for frame in frames]) for key in frames[0]}
        return Block(place, molecule.numbers, arrays.pop("positions"), arrays), restart
    raise InputError(
        f"{place}: expected {count} configurations, got {len(frames)} before the SCF failed "
        f"{RESTARTS} times; lower the temperature of {temperature:g} K"
    )


FRICTION = 0.02  # 1/fs


def hot_dynamics(
    atoms: Atoms, temperature: float, time_step: float, rng: np.random.Generator
) -> Langevin:
    """Langevin dynamics (K, fs) of atoms at rest, begun at twice the temperature.

    Half of the kinetic energy soon becomes potential energy.
    """
    MaxwellBoltzmannDistribution(atoms, temperature_K=2 * temperature, rng=rng)
    return Langevin(
        atoms,
        time_step * fs,
        temperature_K=temperature,
        friction=FRICTION / fs,
        fixcm=False,
        rng=rng,
    )
