"""Sections of distributions: bins that fit, and cut-offs in order."""

import pytest
from pydantic import ValidationError

from mlipkd.evaluation.distributions import (
    AngularDistributions,
    ClusterDistributions,
    DistributionsEvaluation,
    RadialDistributions,
)


def test_bins_of_decimal_fractions_fit() -> None:
    assert RadialDistributions(cutoff=14.7, bin=0.07).bin == 0.07
    assert AngularDistributions(cutoffs=[6.0], bin=0.3).bin == 0.3


def test_cutoffs_of_neighbours_are_the_campaigns() -> None:
    with pytest.raises(ValidationError, match=r"adf\s*Field required"):
        DistributionsEvaluation.model_validate({})


@pytest.mark.parametrize(
    ("section", "values", "message"),
    [
        (
            RadialDistributions,
            {"cutoff": 10, "bin": 0.3},
            "expected a cutoff that is a whole number",
        ),
        (RadialDistributions, {"cutoff": 0.05, "bin": 0.1}, "a whole number of bins, got 0.05 Å"),
        (RadialDistributions, {"bin": 0.001}, "greater than or equal to 0.01"),
        (AngularDistributions, {"cutoffs": []}, "at least 1 item"),
        (AngularDistributions, {"cutoffs": [6, 5]}, "expected numbers that ascend"),
        (AngularDistributions, {"cutoffs": [6, 6.0]}, "expected numbers that ascend"),
        (AngularDistributions, {"cutoffs": [6], "bin": 7}, "of which 180° are a whole number"),
        (AngularDistributions, {"cutoffs": [6], "bin": 0.01}, "greater than or equal to 0.1"),
        (ClusterDistributions, {"windows": 0}, "greater than 0"),
    ],
)
def test_what_is_refused(section, values, message) -> None:
    with pytest.raises(ValidationError, match=message):
        section(**values)
