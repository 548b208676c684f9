"""Probes: their mean is the error of whole Hessians, and their variance what is said of it."""

import numpy as np
import pytest

from mlipkd.training.probes import draw

KINDS = ("one_hot", "rademacher", "gaussian")


def variance(kind: str, A: np.ndarray) -> float:
    """Of vᵀ A v."""
    N, diagonal = len(A), np.diag(A)
    if kind == "one_hot":
        return (diagonal**2).mean() - diagonal.mean() ** 2
    off = A - np.diag(diagonal) if kind == "rademacher" else A
    return 2 * (off**2).sum() / N**2


@pytest.mark.parametrize("kind", KINDS)
def test_mean_and_variance_are_those_that_are_stated(kind) -> None:
    difference = np.random.default_rng(3).normal(size=(6, 6)) + np.diag([1, 2, 3, 4, 5, 6])
    number = 6000
    v = draw(kind, [2] * number, range(number), seed=1, epoch=2).reshape(number, 6)
    squares = ((v @ difference.T) ** 2).sum(1)  # |Δ v|² of each probe
    A = difference.T @ difference
    error = np.sqrt(variance(kind, A) / number)
    assert abs(squares.mean() - (difference**2).sum() / 6) < 4 * error
    assert squares.var() == pytest.approx(variance(kind, A), rel=0.12)
    assert (v**2).sum(1).mean() == pytest.approx(1, rel=0.04)


def test_kinds_are_what_they_are_called() -> None:
    one_hot, rademacher = (draw(kind, [3, 5], [0, 1], 0, 1) for kind in KINDS[:2])
    assert sorted(one_hot[:3].ravel())[-2:] == [0, 1] == sorted(one_hot[3:].ravel())[-2:]
    np.testing.assert_allclose(np.abs(rademacher[:3]), 1 / 3)
    np.testing.assert_allclose(np.abs(rademacher[3:]), 15**-0.5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_probe_is_of_its_configuration_epoch_and_seed(kind) -> None:
    whole = draw(kind, [4, 70, 5], [8, 3, 9], seed=2, epoch=6)
    np.testing.assert_array_equal(draw(kind, [70], [3], seed=2, epoch=6), whole[4:74])
    for seed, epoch, number in ((3, 6, 3), (2, 7, 3), (2, 6, 4), (2, 0, 3)):
        assert not np.array_equal(draw(kind, [70], [number], seed, epoch), whole[4:74])
