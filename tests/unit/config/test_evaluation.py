"""Sections of evaluations: how the parts of COMP6 may be named, and what is refused."""

import pytest
from pydantic import ValidationError

from mlipkd.evaluation.comp6 import Comp6Evaluation
from mlipkd.evaluation.cost.cost import CostEvaluation
from mlipkd.evaluation.liquid import LiquidEvaluation
from mlipkd.evaluation.stability import StabilityEvaluation
from mlipkd.readers.ani import Comp6
from mlipkd.readers.ase_file import AseFile


def test_a_path_a_list_of_paths_or_a_source() -> None:
    suites = Comp6Evaluation.model_validate(
        {
            "suites": {
                "one": "a.h5",
                "several": ["a.h5", "b.hdf5"],
                "other": {"reader": "ase", "files": ["c.xyz"], "forces_key": None},
            }
        }
    ).suites
    assert suites["one"] == Comp6(reader="comp6", files=["a.h5"])
    assert suites["several"] == Comp6(reader="comp6", files=["a.h5", "b.hdf5"])
    assert suites["other"] == AseFile(reader="ase", files=["c.xyz"], forces_key=None)
    again = Comp6Evaluation.model_validate(Comp6Evaluation(suites=suites).model_dump(mode="json"))
    assert again.suites == suites


@pytest.mark.parametrize("suite", ["a.xyz", ["a.h5", "b.xyz"]])
def test_another_format_needs_a_source(suite) -> None:
    with pytest.raises(ValidationError, match="give a section with reader: ase"):
        Comp6Evaluation.model_validate({"suites": {"one": suite}})


def test_a_suite_is_not_computed() -> None:
    emt = {"type": "ase.calculators.emt:EMT"}
    suite = {"reader": "ase", "files": ["c.xyz"], "calculator": emt}
    with pytest.raises(ValidationError, match="labels in their files, got a calculator of one,"):
        Comp6Evaluation.model_validate({"suites": {"one": suite, "other": "a.h5"}})


@pytest.mark.parametrize("growth", [[2000, 1000], [1000, 1000]])
def test_growth_ascends(growth) -> None:
    with pytest.raises(ValidationError, match=r"growth\n.*expected numbers that ascend, got"):
        CostEvaluation(growth=growth)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"timesteps": []}, "at least 1 item"),
        ({"timesteps": [1, 1.0]}, "expected timesteps that differ"),
        ({"timesteps": [1.0, 60], "duration": 0.05}, "expected timesteps up to the duration of 50"),
        ({"closest": 0}, "greater than 0"),
        ({"engine": "lammps"}, "'auto', 'ase' or 'torch-sim'"),
        ({"seed": -1}, "greater than or equal to 0"),
    ],
)
def test_stability_refuses(values, message) -> None:
    with pytest.raises(ValidationError, match=message):
        StabilityEvaluation(**values)


LIQUID = {"temperature": 1200, "density": 2.3}


def test_times_in_steps() -> None:
    settings = LiquidEvaluation(**LIQUID, timestep=2.0)
    assert [settings.steps(picoseconds) for picoseconds in (1, 0.01, 1e-6)] == [500, 5, 1]


def test_more_frames_than_steps() -> None:
    with pytest.raises(ValidationError, match="got 100 frames in 50 steps; take fewer frames"):
        LiquidEvaluation(**LIQUID, duration=0.05)
