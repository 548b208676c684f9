"""Which program integrates, and the velocities of the first moment."""

import numpy as np
import pytest
from ase.build import bulk

from mlipkd.dynamics import trajectories
from mlipkd.dynamics.trajectories import PACKAGES, choose_integrator, with_velocities
from mlipkd.errors import InputError


@pytest.mark.parametrize("other", PACKAGES)
def test_the_other_engine_is_taken_if_it_is_there(other, monkeypatch) -> None:
    monkeypatch.setattr(trajectories.importlib.util, "find_spec", lambda name: object())
    assert [choose_integrator(one, other, "s") for one in ("auto", "ase", other)] == [
        other, "ase", other,
    ]  # fmt: skip
    monkeypatch.setattr(trajectories.importlib.util, "find_spec", lambda name: None)
    assert [choose_integrator(one, other, "s") for one in ("auto", "ase")] == ["ase", "ase"]
    message = rf"^s\.engine: expected {other}, .* run pip install -e '\.\[(md|lammps)\]' .*, or"
    with pytest.raises(InputError, match=message):
        choose_integrator(other, other, "s")


def test_velocities_are_those_of_the_temperature() -> None:
    box = bulk("Al", cubic=True) * (6, 6, 6)
    start = with_velocities(box, 500, [0, 1, 2])
    assert start.get_temperature() == pytest.approx(500, rel=0.05)
    np.testing.assert_allclose(start.get_momenta().sum(0), 0, atol=1e-9)
    assert not box.get_momenta().any()
