"""Sections of evaluations: what is refused."""

import pytest
from pydantic import ValidationError

from mlipkd.config.evaluation import StabilityEvaluation


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"timesteps": []}, "at least 1 item"),
        ({"timesteps": [1, 1.0]}, "wanted timesteps that differ"),
        ({"timesteps": [1.0, 60], "duration": 0.05}, "wanted timesteps up to the duration of 50"),
        ({"closest": 0}, "greater than 0"),
        ({"engine": "lammps"}, "'auto', 'ase' or 'torch-sim'"),
        ({"seed": -1}, "greater than or equal to 0"),
    ],
)
def test_stability_refuses(values, message) -> None:
    with pytest.raises(ValidationError, match=message):
        StabilityEvaluation(**values)
