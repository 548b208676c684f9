"""What a simulation is asked to be, and the datasets that are made of one."""

import pytest
from pydantic import ValidationError

from mlipkd.campaign.campaign import Campaign
from mlipkd.campaign.settings import dataset_settings, simulation_settings
from mlipkd.config.load import ConfigError, parse_section
from mlipkd.config.settings import SimulationSettings
from mlipkd.config.simulation import Simulation
from mlipkd.readers.trajectory import Trajectory

WATER = {
    "molecules": {"SOL": {"number": 900, "structure": "water.gro", "residue": "HOH"}},
    "topology": "ff/water.top",
    "includes": ["ff/spce.itp"],
    "box": 30,
    "temperature": 298.1,
}
SOURCE = {"reader": "trajectory", "simulation": "cold", "beads": {"water": "resname HOH"}}


@pytest.fixture
def campaign(content) -> dict:
    content["simulations"] = {"cold": WATER, "hot": {**WATER, "temperature": 350}}
    content["datasets"]["metal"]["source"] = SOURCE
    return content


def test_steps_of_a_time() -> None:
    simulation = Simulation.model_validate({**WATER, "timestep": 0.5})
    assert simulation.steps(3) == 6000


def test_files_are_each_named_once() -> None:
    salt = {"number": 1, "structure": "water.gro"}
    molecules = {**WATER["molecules"], "NaCl": salt}
    simulation = Simulation.model_validate({**WATER, "molecules": molecules})
    assert simulation.files == ["ff/water.top", "ff/spce.itp", "water.gro"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"density": 1.0}, "expected either box or density"),
        ({"box": None}, "expected either box or density"),
        ({"box": 23.9}, "greater than or equal to 24"),
        ({"frame_every": 1001}, r"between the timestep of 2 fs and the sampling of 1000 ps"),
        ({"frame_every": 0.001}, r"between the timestep of 2 fs"),
    ],
)
def test_what_does_not_fit_is_refused(changed, message) -> None:
    with pytest.raises(ValidationError, match=message):
        Simulation.model_validate({**WATER, **changed})


def test_a_dataset_has_the_files_and_the_temperature_of_its_simulation(campaign, tmp_path) -> None:
    made = Campaign.model_validate(campaign)
    files = [f"results/simulations/cold/{name}" for name in ("topology.tpr", "trajectory.trr")]
    assert made.datasets["metal"].source.paths == files
    settings = dataset_settings(made, "metal")
    assert settings.source.paths == files
    assert settings.source.temperature == 298.1
    (tmp_path / "settings.yaml").write_text(settings.to_yaml())
    assert type(settings).read(tmp_path / "settings.yaml") == settings


def test_a_simulation_knows_nothing_of_others(campaign, tmp_path) -> None:
    settings = simulation_settings(Campaign.model_validate(campaign), "hot")
    (tmp_path / "settings.yaml").write_text(settings.to_yaml())
    assert SimulationSettings.read(tmp_path / "settings.yaml") == settings
    assert settings.simulation.temperature == 350
    campaign["simulations"]["cold"] = {**WATER, "seed": 7}
    after = simulation_settings(Campaign.model_validate(campaign), "hot")
    assert after.to_yaml() == settings.to_yaml()


def test_a_simulation_that_is_not_there_is_a_fault(campaign) -> None:
    campaign["datasets"]["metal"]["source"] = {**SOURCE, "simulation": "warm"}
    with pytest.raises(ConfigError) as caught:
        parse_section(Campaign, campaign, "config.yaml")
    ((place, text),) = caught.value.faults
    assert place == "datasets.metal.source.simulation"
    assert "cold, hot, got 'warm'" in text


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"temperature": 300}, "got temperature with a simulation"),
        ({"simulation": None}, "expected either a simulation, or topology, files and temperature"),
        (
            {"simulation": None, "topology": "a.tpr", "files": ["a.trr"]},
            "expected either a simulation, or topology, files and temperature",
        ),
    ],
)
def test_files_or_a_simulation(changed, message) -> None:
    with pytest.raises(ValidationError, match=message):
        Trajectory.model_validate({**SOURCE, **changed})
