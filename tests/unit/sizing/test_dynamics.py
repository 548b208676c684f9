"""What dynamics have to do, in proportions that are known without the code."""

import pytest

from mlipkd.errors import InputError
from mlipkd.evaluation.cost.cost import CostEvaluation
from mlipkd.evaluation.liquid import LiquidEvaluation
from mlipkd.evaluation.rdf import RdfEvaluation
from mlipkd.evaluation.stability import StabilityEvaluation
from mlipkd.sizing import dynamics
from mlipkd.sizing.work import PAIR
from tests.unit.sizing.conftest import settings


def test_dynamics_count_steps(size):
    shape = settings().architecture
    asked = StabilityEvaluation(molecule="H2O", molecules=10, runs=2, duration=1.0)
    found = dynamics.stability(size, asked, shape, members=3)
    assert found.seconds["calls"] == 3 * (2000 + 1000 + 500)  # of 0.5, 1 and 2 fs in 1 ps
    single = StabilityEvaluation(**{**asked.model_dump(), "engine": "ase"})
    assert dynamics.stability(size, single, shape, 3).seconds["calls"] == 2 * 3 * 3500
    unknown = StabilityEvaluation(molecule="H9")
    with pytest.raises(InputError, match="expected a molecule of ASE"):
        dynamics.stability(size, unknown, shape, 3)
    liquid = LiquidEvaluation(temperature=1000, density=2.0, duration=1.0, timestep=2.0)
    # 10 ps of melting, 20 of equilibration, 1 of sampling and 5 without a thermostat.
    assert dynamics.liquid(size, liquid, shape).seconds["calls"] == 36e3 / 2


def test_water_has_33_molecules_in_a_cubic_nanometre(size):
    shape = settings().architecture
    asked = StabilityEvaluation(
        molecule="H2O", molecules=10, runs=1, duration=0.001, timesteps=(1.0,), density=1.0
    )
    listed = dynamics.stability(size, asked, shape, 1).seconds["listed"]
    assert listed / 30 == pytest.approx(0.1003 * 4 / 3 * 3.14159 * 4.0**3, rel=1e-3)


def test_costs_are_of_each_model_and_size(size):
    one, other = settings(width=6).architecture, settings(width=12).architecture
    asked = CostEvaluation(atoms=100, steps=10, growth=(1000,))
    both = dynamics.cost(size, asked, [one, other])
    assert both.seconds["start"] == 1 + 2 * 2
    alone = [dynamics.cost(size, asked, [shape]).seconds["multiplied"] for shape in (one, other)]
    assert both.seconds["multiplied"] == pytest.approx(sum(alone))
    more = dynamics.cost(size, CostEvaluation(atoms=100, growth=(1000, 100_000)), [one])
    assert more.megabytes["kept"] == pytest.approx(100_000 * 64 * PAIR / 1e6)


def test_distances_are_counted_of_all_members(size):
    liquid = LiquidEvaluation(temperature=1000, density=2.0, frames=10, atoms=500)
    wanted = RdfEvaluation(teacher="teachers", cutoff=5)
    one, four = (dynamics.rdf(size, liquid, wanted, n).seconds["pairs"] for n in (1, 4))
    assert four == pytest.approx(4 * one)
