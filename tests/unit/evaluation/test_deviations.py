"""How far distributions are apart: by hand, from a few bins."""

import numpy as np
import pytest

from mlipkd.errors import InputError
from mlipkd.evaluation.core.curves import UNITS, Curve
from mlipkd.evaluation.deviations import evaluate_deviations


def curve(name: str, *values: float, family: str = "students", replica: int = 0) -> Curve:
    bin_unit, unit = UNITS[name.partition("/")[0]]
    return Curve("des", family, "m", 1, replica, name, unit, 0.5, bin_unit, np.array(values))


def values_of(*curves: Curve, reference: list[Curve]) -> dict[str, tuple[float, str]]:
    rows = evaluate_deviations(curves, reference)
    assert {row[:4] for row in rows} == {("des", "students", "m", 1)}
    return {row.metric: (row.value, row.unit) for row in rows if "*" not in row.metric}


@pytest.mark.parametrize(("name", "unit"), [("rdf/a-b", "Å"), ("adf/a-b-a/6", "1"), ("cdf/a", "1")])
def test_a_shifted_histogram(name, unit) -> None:
    """Densities 2 and 1, 1 in bins of 0.5, moved by a bin: |2 − 0| + |2 − 1| + |1 − 1| + 1."""
    found = values_of(curve(name, 0, 0, 2, 1, 1), reference=[curve(name, 0, 2, 1, 1, 0)])
    assert found == {f"{name}/tae": (pytest.approx((2 + 1 + 0 + 1) * 0.5), unit)}


def test_densities_that_share_nothing_are_two_apart() -> None:
    found = values_of(curve("cdf/a", 2), reference=[curve("cdf/a", 0, 0, 1, 1)])
    assert found["cdf/a/tae"] == (2, "1")


def test_mean_over_replicas() -> None:
    """1 and 2 from the reference's mean of 3, in bins of 0.5."""
    replicas = [curve("rdf/a-a", value, replica=place) for place, value in enumerate((4, 1))]
    reference = [
        curve("rdf/a-a", value, family="t", replica=place) for place, value in ((0, 2), (1, 4))
    ]
    found = values_of(*replicas, reference=reference)
    assert found["rdf/a-a/tae"] == (0.75, "Å")


@pytest.mark.parametrize("replicas", [2, 8])
@pytest.mark.parametrize("halves", [2, 3])
def test_the_errors_of_a_perfect_model_are_noise(replicas, halves) -> None:
    """Replicas and reference differ from the truth by normal numbers, whose sizes differ."""
    rng = np.random.default_rng(0)
    made = [
        curve("rdf/a-a", *rng.normal(3, 0.4, 20_000), replica=place) for place in range(replicas)
    ]
    reference = [
        curve("rdf/a-a", *rng.normal(3, 0.2, 20_000), family="t", replica=place)
        for place in range(halves)
    ]
    found = values_of(*made, reference=reference)
    assert found["rdf/a-a/tae_noise"][0] == pytest.approx(found["rdf/a-a/tae"][0], rel=0.02)


def test_means_over_all_of_a_kind_stand_before_the_kind() -> None:
    """Errors of 1 and 2 in one replica, 3 and 6 in the other, in bins of 0.5."""
    replicas = [
        curve(name, value, replica=place)
        for place, values in enumerate(((1, 2), (3, 6)))
        for name, value in zip(("adf/a-b-a/6", "adf/b-a-b/6"), values, strict=True)
    ]
    reference = [curve("adf/a-b-a/6", 0), curve("adf/b-a-b/6", 0)]
    first, *_ = evaluate_deviations(replicas, reference)
    assert first[4:7] == ("adf/*/6/tae", pytest.approx((1.5 + 4.5) / 2 * 0.5), "1")
    twice = [*reference, *(one._replace(replica=1) for one in reference)]
    _, second, *_ = evaluate_deviations(replicas, twice)
    apart = (2 + 4) / 2 / 2**0.5  # replicas of 1 and 3, and of 2 and 6
    assert second[4:7] == ("adf/*/6/tae_noise", pytest.approx(apart * 0.5), "1")


def test_windows_are_not_compared() -> None:
    found = values_of(curve("cdf/a", 2), curve("cdf/a/window1", 2), reference=[curve("cdf/a", 2)])
    assert found == {"cdf/a/tae": (0, "1")}


def test_another_reference_is_refused() -> None:
    with pytest.raises(
        InputError, match=r"expected adf/a-b-a/6 of the reference, got others \(rdf\)"
    ):
        evaluate_deviations([curve("adf/a-b-a/6", 1)], [curve("rdf/a-a", 1)])
    with pytest.raises(InputError, match=r"expected 2 bins of 0\.5 Å as of"):
        evaluate_deviations([curve("rdf/a-a", 1)], [curve("rdf/a-a", 1, 2)])
