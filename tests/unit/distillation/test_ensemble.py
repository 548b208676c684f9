"""The ensemble against hand-worked arrays."""

import numpy as np
import pytest

from mlipkd.distillation.ensemble import Deviations, mean, outliers, spread


def rms(errors: np.ndarray) -> float:
    return float(np.sqrt((errors**2).mean()))


def test_mean_and_spread() -> None:
    members = np.array([[1.0, 2.0], [3.0, 6.0]])  # (members, 2)
    assert mean(members).tolist() == [2.0, 4.0]
    np.testing.assert_allclose(spread(members), [np.sqrt(2), np.sqrt(8)])


def test_spread_of_large_energies_keeps_its_digits() -> None:
    members = -12_000.0 + np.array([[0.0], [1e-6], [2e-6]])
    np.testing.assert_allclose(spread(members), [1e-6], rtol=1e-4)


def test_deviations_from_the_median_add_up_over_memory_batches() -> None:
    deviations = Deviations(3)
    deviations.add(np.array([[0.0], [1.0], [5.0]]))
    deviations.add(np.array([[0.0, 2.0], [0.0, 2.0], [3.0, 2.0]]))
    # medians 1, 0, 2; deviations (1, 0, 0), (0, 0, 0), (4, 3, 0)
    np.testing.assert_allclose(deviations.rms(), np.sqrt([1 / 3, 0, 25 / 3]))


@pytest.mark.parametrize(
    ("deviations", "left_out"),
    [
        ([1.0], []),
        ([0.3, 0.3], []),
        ([1, 1, 1, 1, 1, 1, 1, 1], []),
        ([1.00, 1.01, 1.00, 1.00, 0.99, 1.00, 1.00, 1.10], []),  # the least equal of equals
        ([0.8, 0.9, 1.0, 1.1, 1.2, 1.0, 2.9, 1.3], []),
        ([0.8, 0.9, 1.0, 1.1, 1.2, 1.0, 9.0, 1.3], [6]),
        ([1, 1, 20, 1, 1, 30, 1, 1], [2, 5]),
        ([1, 20, 20], []),  # two of three would be left out
        ([1, 1, 20], [2]),
    ],
)
def test_outliers(deviations: list[float], left_out: list[int]) -> None:
    assert np.flatnonzero(outliers(np.array(deviations, float))).tolist() == left_out


def test_one_teacher_of_eight_at_twenty_times_the_error() -> None:
    errors = np.random.default_rng(0).normal(size=(8, 200_000))
    errors[3] *= 20
    assert rms(mean(errors)) == pytest.approx(np.sqrt(7 + 400) / 8, rel=0.01)  # 2.5
    assert rms(np.median(errors, axis=0)) == pytest.approx(0.47, abs=0.01)

    deviations = Deviations(8)
    deviations.add(errors)
    left_out = outliers(deviations.rms())
    assert np.flatnonzero(left_out).tolist() == [3]
    assert rms(mean(errors[~left_out])) == pytest.approx(1 / np.sqrt(7), rel=0.01)  # 0.38
