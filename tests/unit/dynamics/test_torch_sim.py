"""Langevin dynamics of replicas, against what is known of springs and of free particles."""

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.units import kB

pytest.importorskip("torch_sim")

from torch_sim.models.interface import ModelInterface

from mlipkd.dynamics.torch_sim import run_langevin_batch
from mlipkd.dynamics.trajectories import with_velocities
from mlipkd.units import FEMTOSECOND

TEMPERATURE, STIFFNESS = 300.0, 0.5  # K, eV/Å^2


class Springs(ModelInterface):
    """Every atom on a spring to where it began; of stiffness zero, free."""

    def __init__(self, sites: np.ndarray, stiffness: float) -> None:
        super().__init__()
        self._device, self._dtype = torch.device("cpu"), torch.float64
        self._compute_stress, self._compute_forces = False, True
        self.sites, self.stiffness = torch.from_numpy(sites), stiffness

    def forward(self, state, **_):
        away = state.positions - self.sites
        energy = torch.zeros(state.n_systems, dtype=torch.float64)
        energy.index_add_(0, state.system_idx, self.stiffness / 2 * away.square().sum(1))
        return {"energy": energy, "forces": -self.stiffness * away}


def starts(replicas: int) -> list[Atoms]:
    """64 beads of 40 u, far apart in a box that they do not leave."""
    sites = np.stack(np.meshgrid(*[np.arange(4)] * 3), -1).reshape(-1, 3) * 100.0 + 50
    box = Atoms("H64", sites, cell=[400] * 3, pbc=True)
    box.set_masses([40.0] * 64)
    return [with_velocities(box, TEMPERATURE, [replica]) for replica in range(replicas)]


def run(own: list[Atoms], stiffness: float, frames: int, every: int, seed: int = 0):
    sites = np.concatenate([one.positions for one in own])
    return run_langevin_batch(
        Springs(sites, stiffness), own, TEMPERATURE, 5.0, 0.02, frames, every, 0.5, seed, "test"
    )


def test_springs_fluctuate_as_they_must():
    """<x²> = k_B T / k and <v²> = 3 k_B T / m."""
    own = starts(2)
    replicas = run(own, STIFFNESS, frames=60, every=20)
    away, speeds = [], []
    for replica, start in zip(replicas, own, strict=True):
        assert len(replica.frames) == 60 and not replica.failed
        for frame in replica.frames[10:]:
            away.append(frame.atoms.positions - start.positions)
            speeds.append(frame.atoms.get_velocities())
    assert np.mean(np.square(away)) == pytest.approx(kB * TEMPERATURE / STIFFNESS, rel=0.05)
    assert np.mean(np.square(speeds)) == pytest.approx(kB * TEMPERATURE / 40, rel=0.05)


def test_free_beads_diffuse_as_they_must():
    """<x²> = 2 k_B T / (m γ) (t - (1 - exp(-γ t)) / γ) from velocities of that temperature."""
    own = starts(3)
    replicas = run(own, 0.0, frames=1, every=200)
    away = [
        r.frames[0].atoms.positions - start.positions
        for r, start in zip(replicas, own, strict=True)
    ]
    t, gamma = 1000 * FEMTOSECOND, 0.02 / FEMTOSECOND
    wanted = 2 * kB * TEMPERATURE / (40 * gamma) * (t - (1 - np.exp(-gamma * t)) / gamma)
    assert np.mean(np.square(away)) == pytest.approx(wanted, rel=0.15)


def test_noise_is_drawn_from_the_seed():
    before = torch.random.get_rng_state()
    first, again, other = (run(starts(1), STIFFNESS, 1, 5, seed)[0].end for seed in (1, 1, 2))
    assert torch.equal(before, torch.random.get_rng_state())
    np.testing.assert_array_equal(first.positions, again.positions)
    assert not np.array_equal(first.positions, other.positions)


def test_a_replica_that_fails_leaves():
    own = starts(3)
    own[1].positions[1] = own[1].positions[0] + [0.4, 0, 0]

    class Shrinking(Springs):
        def forward(self, state, **_):
            self.sites = state.positions.clone()
            return super().forward(state)

    model = Shrinking(np.concatenate([one.positions for one in own]), STIFFNESS)
    replicas = run_langevin_batch(model, own, TEMPERATURE, 5.0, 0.02, 2, 3, 0.5, 0, "test")
    assert [replica.failed for replica in replicas] == [False, True, False]
    assert [len(replica.frames) for replica in replicas] == [2, 0, 2]
