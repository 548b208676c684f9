"""Built-in reference: small CHNO molecules with GFN2-xTB, drawn by hot Langevin dynamics.

GFN2-xTB: Bannwarth, Ehlert, Grimme, J. Chem. Theory Comput. 15, 1652 (2019), by tblite. Every group
is one walker: a trajectory of its own from the molecule at rest in ASE's G2 collection.
"""

import os
from collections.abc import Callable
from itertools import islice

import numpy as np
from ase import Atoms, units
from ase.collections import g2

from mlipkd.config.dataset import MoleculesXTB
from mlipkd.datasets.blocks import Block, assemble
from mlipkd.datasets.dataset import Dataset
from mlipkd.datasets.langevin import langevin, thermal_velocities
from mlipkd.errors import InputError
from mlipkd.provenance import record
from mlipkd.units import BOHR, FEMTOSECOND, HARTREE

ELEMENTS = {"C", "H", "N", "O"}
WALKER_SIZE = 100  # configurations of one walker
WARMING_STEPS = 100
STRIDE = 12  # steps between two configurations
TIME_STEP = 1.0  # fs
FRICTION = 0.02  # 1/fs
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
            block, restarts = _walk(rng, molecule, place, count, source.temperature)
            blocks.append(block)
            if restarts:
                notes.append(f"{place}: started anew {restarts} times as the SCF did not converge")
    return assemble(name, blocks, record(source=source.model_dump(mode="json"), notes=notes))


def _molecule(name: str, formula: str) -> Atoms:
    if formula not in g2.names or not set(g2[formula].symbols) <= ELEMENTS:
        known = [key for key in g2.names if set(g2[key].symbols) <= ELEMENTS and len(g2[key]) > 2]
        raise InputError(
            f"{name}: wanted CHNO molecules of ASE's G2 collection, got {formula!r}; "
            f"choose from {', '.join(known)}"
        )
    return g2[formula]


def _walk(
    rng: np.random.Generator, molecule: Atoms, place: str, count: int, temperature: float
) -> tuple[Block, int]:
    """One walker's block, and how often it had to start anew."""
    masses = molecule.get_masses()  # (atoms,)
    thermal_energy = units.kB * temperature
    frames: list[dict[str, np.ndarray]] = []
    for restart in range(RESTARTS):
        label = _xtb(molecule)
        steps = langevin(
            rng,
            lambda positions: label(positions)["forces"],  # noqa: B023 (used in this turn alone)
            molecule.positions,
            thermal_velocities(rng, masses, 2 * thermal_energy),
            masses,
            thermal_energy,
            TIME_STEP * FEMTOSECOND,
            FRICTION / FEMTOSECOND,
        )
        last = WARMING_STEPS + (count - len(frames) - 1) * STRIDE
        try:
            for positions in islice(steps, WARMING_STEPS, last + 1, STRIDE):
                frames.append({"positions": positions, **label(positions)})
        except RuntimeError:
            continue
        arrays = {key: np.array([frame[key] for frame in frames]) for key in frames[0]}
        return Block(place, molecule.numbers, arrays.pop("positions"), arrays), restart
    raise InputError(
        f"{place}: wanted {count} configurations, got {len(frames)} before the SCF failed "
        f"{RESTARTS} times; lower the temperature of {temperature:g} K"
    )


def _xtb(molecule: Atoms) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """The labels at given positions (atoms, 3) in Å; each SCF starts from the one before.

    tblite raises RuntimeError where the SCF does not converge.
    """
    # Read once, when tblite is loaded. On molecules of this size threads only hinder each other.
    os.environ["OMP_NUM_THREADS"] = "1"
    from tblite.interface import Calculator, Result

    calculator = Calculator("GFN2-xTB", molecule.numbers, molecule.positions / BOHR)
    calculator.set("verbosity", 0)
    result = Result()

    def label(positions: np.ndarray) -> dict[str, np.ndarray]:
        calculator.update(positions / BOHR)
        calculator.singlepoint(result)
        return {
            "energy": result.get("energy") * HARTREE,
            "forces": -result.get("gradient") * HARTREE / BOHR,  # (atoms, 3)
        }

    return label
