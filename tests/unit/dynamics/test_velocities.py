"""Velocities of Maxwell and Boltzmann."""

import numpy as np
import pytest
from ase.build import bulk

from mlipkd.dynamics.nvt import with_velocities


def test_velocities_are_those_of_the_temperature() -> None:
    box = bulk("Al", cubic=True) * (6, 6, 6)
    start = with_velocities(box, 500, [0, 1, 2])
    assert start.get_temperature() == pytest.approx(500, rel=0.05)
    np.testing.assert_allclose(start.get_momenta().sum(0), 0, atol=1e-9)
    assert not box.get_momenta().any()
