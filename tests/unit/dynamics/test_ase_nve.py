"""NVE by both engines: one answer, energy conserved, and failures found when they happen."""

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.calculators.calculator import CalculationFailed, Calculator
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution, Stationary

from mlipkd.deploy.ase import MLIPKD
from mlipkd.dynamics import packing as liquid_module
from mlipkd.dynamics.ase import run_nve
from mlipkd.dynamics.packing import liquid
from mlipkd.hipnn.file import Potential
from mlipkd.units import FEMTOSECOND
from tests.unit.dynamics.systems import model_of

CLOSEST = 0.5
ENGINES = ["ase", "torch-sim"]


def potential(dtype=torch.float64, scale=0.02) -> Potential:
    """A model of H and C, its energies scaled; with 0 atoms feel nothing."""
    model = model_of(1, members=1).to(dtype)
    model.w *= scale
    model.b *= scale
    return Potential(model, {})


def run(engine, potential, starts, timestep, steps):
    options = (starts, timestep, steps, CLOSEST, "test")
    if engine == "ase":
        return run_nve(MLIPKD(potential, skin=0.5), *options)
    torch_sim = pytest.importorskip("mlipkd.deploy.torch_sim", exc_type=ImportError)
    from mlipkd.dynamics.torch_sim import run_nve_batch

    return run_nve_batch(torch_sim.MLIPKD(potential, skin=0.5), *options)


@pytest.fixture
def starts(monkeypatch) -> list[Atoms]:
    monkeypatch.setattr(liquid_module.shutil, "which", lambda program: None)
    box = liquid("C2H6", 4, 0.6, seed=0)
    found = []
    for seed in range(3):
        start = box.copy()
        rng = np.random.default_rng(seed)
        MaxwellBoltzmannDistribution(start, temperature_K=50, rng=rng)
        Stationary(start)
        found.append(start)
    return found


def pair(distance: float, speed: float) -> Atoms:
    """Two H atoms that fly at each other across the boundary of the cell, Å and Å/fs each."""
    atoms = Atoms("H2", [[1, 1, 20 - distance / 3], [1, 1, 2 * distance / 3]], cell=[20] * 3)
    atoms.pbc = True
    atoms.set_velocities([[0, 0, speed / FEMTOSECOND], [0, 0, -speed / FEMTOSECOND]])
    return atoms


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-4)])
def test_engines_agree(starts, dtype, tolerance) -> None:
    by_ase, by_torch_sim = (run(engine, potential(dtype), starts, 1.0, 20) for engine in ENGINES)
    for start, one, other in zip(starts, by_ase, by_torch_sim, strict=True):
        apart = one.end.positions - other.end.positions
        apart -= np.rint(apart @ np.linalg.inv(start.cell)) @ start.cell  # torch-sim wraps
        assert np.abs(apart).max() < tolerance
        momenta = one.end.get_momenta()
        np.testing.assert_allclose(other.end.get_momenta(), momenta, atol=10 * tolerance)
        np.testing.assert_allclose(other.energies, one.energies, atol=10 * tolerance)
        free = start.positions + 20 * FEMTOSECOND * start.get_velocities()
        assert np.abs(one.end.positions - free).max() > 0.005  # forces had a part in it
        assert (one.failed, other.failed) == (False, False)
        assert one.duration == other.duration == 20


@pytest.mark.parametrize("engine", ENGINES)
def test_energy_is_conserved_to_second_order(engine, starts) -> None:
    fluctuations = []
    for timestep in (1.0, 0.5):
        (one,) = run(engine, potential(), starts[:1], timestep, round(30 / timestep))
        fluctuations.append(np.ptp(one.energies))
        assert abs(one.drift) * 30 * len(one.end) <= 2 * np.ptp(one.energies)
    kinetic = starts[0].get_kinetic_energy()
    assert fluctuations[1] < 0.01 * kinetic
    assert fluctuations[0] / fluctuations[1] == pytest.approx(4, rel=0.15)


def test_drift_is_the_slope() -> None:
    from mlipkd.dynamics.trajectories import NVERun

    energies = 7.0 + 0.3 * np.arange(11) + 0.01 * (-1.0) ** np.arange(11)
    one = NVERun(2.0, energies, False, Atoms("H3"))
    assert one.duration == 20
    assert one.drift == pytest.approx(0.3 / 2 / 3, rel=1e-3)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_collision_is_found_when_it_happens(engine) -> None:
    """Free flight from 1 Å: 0.5 Å is passed after 0.5 Å, at a relative 0.02 and 0.025 Å/fs."""
    silent = potential(scale=0.0)
    starts = [pair(1.001, 0.01), pair(1.001, 0.0), pair(1.001, 0.0125)]
    first, still, second = run(engine, silent, starts, 0.5, 60)
    assert (first.failed, first.duration) == (True, 25.5)
    assert (second.failed, second.duration) == (True, 20.5)
    assert (still.failed, still.duration) == (False, 30)
    assert first.end.get_distance(0, 1, mic=True) == pytest.approx(1.001 - 0.02 * 25.5)
    assert len(still.energies) == 61
    np.testing.assert_allclose(first.energies, first.energies[0], atol=1e-12)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_start_is_watched_too(engine) -> None:
    (one,) = run(engine, potential(scale=0.0), [pair(0.49, 0.0)], 1.0, 5)
    assert (one.failed, one.duration) == (True, 0)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_energies_that_are_not_finite_are_failures(engine, value) -> None:
    broken = potential()
    broken.model.E0[:] = value
    (one,) = run(engine, broken, [pair(3.0, 0.0)], 1.0, 5)
    assert (one.failed, one.duration) == (True, 0)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_atom_that_flies_by_half_the_cell_is_a_failure(engine) -> None:
    slow, fast = (pair(3.0, speed) for speed in (9.9, 10.1))
    slow.positions[:, 0] = fast.positions[:, 0] = [2, 12]  # they miss each other
    (one, other) = run(engine, potential(scale=0.0), [slow, fast], 1.0, 3)
    assert (one.failed, one.duration) == (False, 3)
    assert (other.failed, other.duration) == (True, 0)


@pytest.mark.parametrize("engine", ENGINES)
def test_who_stays_is_not_disturbed_by_who_leaves(engine, starts) -> None:
    (alone,) = run(engine, potential(), starts[2:], 0.5, 20)
    starts[1].set_velocities(starts[1].get_velocities() * 1e3)
    together = run(engine, potential(), starts, 0.5, 20)
    assert [one.failed for one in together] == [False, True, False]
    np.testing.assert_allclose(together[2].energies, alone.energies, atol=1e-9)


def test_failed_runs_cost_nothing_more() -> None:
    torch_sim = pytest.importorskip("mlipkd.deploy.torch_sim", exc_type=ImportError)
    from mlipkd.dynamics.torch_sim import run_nve_batch

    model, sizes = torch_sim.MLIPKD(potential(scale=0.0)), []
    model.register_forward_hook(lambda own, given, found: sizes.append(len(found["energy"])))
    run_nve_batch(model, [pair(1.001, 0.01), pair(1.001, 0.0)], 1.0, 30, CLOSEST, "test")
    assert sizes == [2] * 27 + [1] * 4
    sizes.clear()
    run_nve_batch(model, [pair(1.001, 0.01)], 1.0, 200, CLOSEST, "test")
    assert len(sizes) == 27


class Scripted(Calculator):
    """No forces; the third energy is what the script says."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012

    def __init__(self, third) -> None:
        super().__init__()
        self.third, self.calls = third, 0

    def calculate(self, atoms=None, properties=("energy",), system_changes=()) -> None:
        super().calculate(atoms, properties, system_changes)
        self.calls += 1
        energy = self.third() if self.calls == 3 else 1.0
        self.results = {"energy": energy, "forces": np.zeros((len(atoms), 3))}


def refuse():
    raise CalculationFailed("no convergence")


@pytest.mark.parametrize("third", [lambda: np.nan, refuse])
def test_any_calculator_may_fail(third) -> None:
    calculator = Scripted(third)
    first, second = run_nve(calculator, [pair(3.0, 0.01)] * 2, 1.0, 4, CLOSEST, "test")
    assert (first.failed, first.duration) == (True, 2)
    assert (second.failed, second.duration) == (False, 4)
    assert calculator.calls == 3 + 5
