"""How far distributions are apart: by hand, from a few bins."""

import numpy as np
import pytest

from mlipkd.errors import InputError
from mlipkd.evaluation.core.curves import UNITS, Curve
from mlipkd.evaluation.deviations import MEAN, evaluate_deviations

#: Kind, species and cut-off.
RDF, CDF = ("rdf", "a-b", None), ("cdf", "a", None)
ADF, OTHER_ADF = ("adf", "a-b-a", 6.0), ("adf", "b-a-b", 6.0)


def curve(distribution, *values: float, family="students", replica=0, window=None) -> Curve:
    bin_unit, unit = UNITS[distribution[0]]
    return Curve(
        "des", family, "m", 1, replica, *distribution, window, unit, 0.5, bin_unit,
        np.array(values),
    )  # fmt: skip


def values_of(*curves: Curve, reference: list[Curve]) -> dict[tuple, tuple[float, str]]:
    """By metric, species and cut-off."""
    rows = evaluate_deviations(curves, reference)
    assert {row[:4] for row in rows} == {("des", "students", "m", 1)}
    assert {row.condition for row in rows if row.at} <= {"cut-off"}
    return {
        (row.metric, row.subset, row.at): (row.value, row.unit)
        for row in rows
        if row.subset != MEAN
    }


@pytest.mark.parametrize(("distribution", "unit"), [(RDF, "Å"), (ADF, "1"), (CDF, "1")])
def test_a_shifted_histogram(distribution, unit) -> None:
    """Densities 2 and 1, 1 in bins of 0.5, moved by a bin: |2 − 0| + |2 − 1| + |1 − 1| + 1."""
    found = values_of(
        curve(distribution, 0, 0, 2, 1, 1), reference=[curve(distribution, 0, 2, 1, 1, 0)]
    )
    kind, *rest = distribution
    assert found == {(f"{kind}_tae", *rest): (pytest.approx((2 + 1 + 0 + 1) * 0.5), unit)}


def test_densities_that_share_nothing_are_two_apart() -> None:
    found = values_of(curve(CDF, 2), reference=[curve(CDF, 0, 0, 1, 1)])
    assert found["cdf_tae", "a", None] == (2, "1")


def test_mean_over_replicas() -> None:
    """1 and 2 from the reference's mean of 3, in bins of 0.5."""
    replicas = [curve(RDF, value, replica=place) for place, value in enumerate((4, 1))]
    reference = [curve(RDF, value, family="t", replica=place) for place, value in ((0, 2), (1, 4))]
    found = values_of(*replicas, reference=reference)
    assert found["rdf_tae", "a-b", None] == (0.75, "Å")


@pytest.mark.parametrize("replicas", [2, 8])
@pytest.mark.parametrize("halves", [2, 3])
def test_the_errors_of_a_perfect_model_are_noise(replicas, halves) -> None:
    """Replicas and reference differ from the truth by normal numbers, whose sizes differ."""
    rng = np.random.default_rng(0)
    made = [curve(RDF, *rng.normal(3, 0.4, 20_000), replica=place) for place in range(replicas)]
    reference = [
        curve(RDF, *rng.normal(3, 0.2, 20_000), family="t", replica=place)
        for place in range(halves)
    ]
    found = values_of(*made, reference=reference)
    assert found["rdf_tae_noise", "a-b", None][0] == pytest.approx(
        found["rdf_tae", "a-b", None][0], rel=0.02
    )


def test_means_over_all_of_a_kind_stand_before_the_kind() -> None:
    """Errors of 1 and 2 in one replica, 3 and 6 in the other, in bins of 0.5."""
    replicas = [
        curve(name, value, replica=place)
        for place, values in enumerate(((1, 2), (3, 6)))
        for name, value in zip((ADF, OTHER_ADF), values, strict=True)
    ]
    reference = [curve(ADF, 0), curve(OTHER_ADF, 0)]
    first, *_ = evaluate_deviations(replicas, reference)
    assert first[4:] == (
        "adf_tae",
        pytest.approx((1.5 + 4.5) / 2 * 0.5),
        "1",
        MEAN,
        "cut-off",
        6,
        "Å",
    )
    twice = [*reference, *(one._replace(replica=1) for one in reference)]
    _, second, *_ = evaluate_deviations(replicas, twice)
    apart = (2 + 4) / 2 / 2**0.5  # replicas of 1 and 3, and of 2 and 6
    assert second[4:] == ("adf_tae_noise", pytest.approx(apart * 0.5), "1", MEAN, "cut-off", 6, "Å")


def test_windows_are_not_compared() -> None:
    found = values_of(curve(CDF, 2), curve(CDF, 2, window=1), reference=[curve(CDF, 2)])
    assert found == {("cdf_tae", "a", None): (0, "1")}


def test_another_reference_is_refused() -> None:
    with pytest.raises(
        InputError, match=r"expected adf/a-b-a/6 of the reference, got others \(rdf\)"
    ):
        evaluate_deviations([curve(ADF, 1)], [curve(RDF, 1)])
    with pytest.raises(InputError, match=r"expected 2 bins of 0\.5 Å as of"):
        evaluate_deviations([curve(RDF, 1)], [curve(RDF, 1, 2)])
