"""Langevin dynamics against the equilibrium of a harmonic well."""

from itertools import islice

import numpy as np
import pytest

from mlipkd.datasets.langevin import langevin, thermal_velocities

STIFFNESS, THERMAL_ENERGY = 2.0, 0.5


def test_equipartition_in_a_harmonic_well() -> None:
    """BAOAB gives <½ k x²> = ½ k_B T exactly for any stable step; the centre is kept still."""
    rng = np.random.default_rng(0)
    masses = np.full(200, 3.0)
    steps = langevin(
        rng,
        lambda positions: -STIFFNESS * positions,
        np.zeros((200, 3)),
        thermal_velocities(rng, masses, THERMAL_ENERGY),
        masses,
        THERMAL_ENERGY,
        time_step=0.4,
        friction=0.5,
    )
    squares = [np.mean(x**2) for x in islice(steps, 200, 1500, 5)]
    free = 1 - 1 / 200  # of the degrees of freedom, without those of the centre
    assert np.mean(squares) == pytest.approx(free * THERMAL_ENERGY / STIFFNESS, rel=0.02)


def test_thermal_velocities_have_their_temperature_and_no_drift() -> None:
    masses = np.tile([1.0, 16.0], 20_000)
    velocities = thermal_velocities(np.random.default_rng(1), masses, THERMAL_ENERGY)
    for mass in (1.0, 16.0):
        energy = mass * np.mean(velocities[masses == mass] ** 2)
        assert energy == pytest.approx(THERMAL_ENERGY, rel=0.02)
    assert np.allclose(masses @ velocities, 0)


def test_without_friction_energy_is_kept() -> None:
    rng = np.random.default_rng(2)
    masses, start = np.array([1.0, 2.0]), np.array([[0.3, 0, 0], [-0.3, 0, 0]])
    velocity = np.zeros((2, 3))

    def forces_at(x):
        return -STIFFNESS * (x - x[::-1])  # a spring between the two

    steps = langevin(rng, forces_at, start, velocity, masses, THERMAL_ENERGY, 1e-3, friction=0.0)
    # Reduced mass m = 2/3 and force constant 2k: half a period later the spring is compressed.
    half_period = int(np.pi / np.sqrt(2 * STIFFNESS * 1.5 / 2) / 1e-3)
    after = next(islice(steps, half_period - 1, None))
    assert after[0] - after[1] == pytest.approx([-0.6, 0, 0], abs=1e-3)
