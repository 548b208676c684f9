"""Velocities that dynamics begins with."""

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution, Stationary


def with_velocities(box: Atoms, temperature: float, seed: Sequence[int]) -> Atoms:
    """The box at rest, its atoms with velocities of Maxwell and Boltzmann at a temperature, K."""
    start = box.copy()
    MaxwellBoltzmannDistribution(start, temperature_K=temperature, rng=np.random.default_rng(seed))
    Stationary(start)
    return start
