"""Langevin dynamics, for drawing the configurations of the built-in references.

BAOAB splitting (Leimkuhler, Matthews, Appl. Math. Res. Express 2013, 34): half a kick, half a
drift, friction and noise for the whole step, half a drift, half a kick.

| symbol | variable | unit |
|---|---|---|
| x, v, m | positions, velocities, masses | Å, Å/t, u, with t = Å (u/eV)^½ |
| F(x) | forces | eV/Å |
| Δt, γ | time_step, friction | t, 1/t |
| k_B T | thermal_energy | eV |
"""

from collections.abc import Callable, Iterator

import numpy as np


def thermal_velocities(
    rng: np.random.Generator, masses: np.ndarray, thermal_energy: float
) -> np.ndarray:
    """Maxwell-Boltzmann velocities without overall drift: (atoms, 3)."""
    velocities = rng.normal(size=(len(masses), 3)) * np.sqrt(thermal_energy / masses)[:, None]
    return velocities - masses @ velocities / masses.sum()


def langevin(
    rng: np.random.Generator,
    forces_at: Callable[[np.ndarray], np.ndarray],
    positions: np.ndarray,
    velocities: np.ndarray,
    masses: np.ndarray,
    thermal_energy: float,
    time_step: float,
    friction: float,
) -> Iterator[np.ndarray]:
    """Positions (atoms, 3) after each step, for as long as they are asked for.

    ``forces_at`` was last called with the positions that are given out.
    """
    mass = masses[:, None]  # (atoms, 1)
    x, v = positions.copy(), velocities.copy()  # (atoms, 3)
    kept = np.exp(-friction * time_step)
    noise = np.sqrt((1 - kept**2) * thermal_energy / mass)  # (atoms, 1)
    forces = forces_at(x)  # (atoms, 3)
    while True:
        v += 0.5 * time_step * forces / mass
        x += 0.5 * time_step * v
        v = kept * v + noise * rng.normal(size=v.shape)
        v -= masses @ v / masses.sum()
        x += 0.5 * time_step * v
        forces = forces_at(x)
        v += 0.5 * time_step * forces / mass
        yield x.copy()
