"""Sampling: hot dynamics that draws the configurations of the built-in references."""

import numpy as np
from ase import Atoms
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from ase.units import fs

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
