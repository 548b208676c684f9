"""Walls come back from distances that were drawn with them."""

import numpy as np
import pytest
from ase.units import kB

from mlipkd.errors import InputError
from mlipkd.hipnn.network import HIPNN
from mlipkd.hipnn.repulsion_fit import BIN, STEEPNESS, count_distances, fit_repulsion, fit_wall
from mlipkd.testing import dataset_of
from tests.models import small_shape

KT = kB * 300
#: Of the gas: U = KT exp((SIGMA - r) / DECAY)
SIGMA, DECAY, CUTOFF = 3.0, 0.2, 8.0


def gas(generator: np.random.Generator, number: int) -> np.ndarray:
    """Distances of pairs in a dilute gas up to the cut-off: density r² exp(-U/k_B T)."""
    r = CUTOFF * generator.random(6 * number) ** (1 / 3)
    likely = np.exp(-np.exp((SIGMA - r) / DECAY))
    return r[generator.random(len(r)) < likely][:number]


def dimers(distances: np.ndarray, pair=(1, 2), cell=None) -> list:
    cell = np.zeros((3, 3)) if cell is None else cell
    return [(np.array(pair), np.array([[0, 0, 0], [0, 0, r]]), cell) for r in distances]


def model() -> HIPNN:
    return HIPNN(small_shape(soft_max=7.0, hard_max=CUTOFF, repulsion={"temperature": 300}), (1, 2))


def test_the_wall_of_a_dilute_gas_is_found() -> None:
    """g = exp(-U/k_B T) there, so that W is U."""
    distances = gas(np.random.default_rng(0), 400_000)
    counts = np.histogram(distances, np.arange(0, CUTOFF + BIN / 2, BIN))[0]
    sigma, decay, on, range_ = fit_wall(counts, KT)
    assert decay == pytest.approx(DECAY, rel=0.1)
    r = np.linspace(distances.min(), on, 20)
    truth = KT * np.exp((SIGMA - r) / DECAY)
    # The highest maximum of a noisy plateau is a few per cent above it: some hundredths of kT.
    np.testing.assert_allclose(np.exp((sigma - r) / decay), truth, rtol=0.1, atol=0.05 * KT)
    assert np.exp((sigma - on) / decay) < KT < np.exp((sigma - distances.min()) / decay)
    assert distances.min() < on < range_ < CUTOFF


def test_counts_of_free_and_periodic_systems_are_those_of_all_pairs() -> None:
    free = dimers(np.array([2.0 + BIN / 2, 3.0 + BIN / 2]))
    box = dimers(np.array([9.0 + BIN / 2]), pair=(2, 2), cell=np.eye(3) * 12.0)
    counts = count_distances(dataset_of([*free, *box]), (1, 2), 5.0)
    assert counts.sum() == 3
    assert counts[0, 1, round(2 / BIN)] == counts[0, 1, round(3 / BIN)] == 1
    assert counts[1, 1, round((3.0 - BIN) / BIN)] == 1  # by the image at 12 Å


def test_the_shortest_wall_serves_pairs_that_the_data_hardly_show() -> None:
    generator = np.random.default_rng(1)
    near, far = gas(generator, 3000), gas(generator, 3000) + 2.0
    network = model()
    rare = dimers(np.full(5, 7.5), (1, 1))
    fit_repulsion(network, dataset_of([*dimers(near), *dimers(far, (2, 2)), *rare]))
    (one,) = network.repulsion.walls
    assert one[0, 1].equal(one[1, 0]) and one[0, 0].equal(one[0, 1])
    assert one[1, 1, 3] > one[0, 1, 3]


@pytest.mark.parametrize("decay", [0.02, 10.0])
def test_a_wall_is_never_softer_or_harder_than_cores_are(decay) -> None:
    r = np.arange(2.0, 6.0, BIN) + BIN / 2
    W = KT * 6 * np.exp((2.0 - r) / decay)
    counts = np.zeros(round(CUTOFF / BIN), np.int64)
    counts[round(2 / BIN) : round(6 / BIN)] = 1e5 * r**2 * np.exp(-W / KT)
    _, found, *_ = fit_wall(counts, KT)
    assert found == pytest.approx(r[0] / STEEPNESS[decay < 1])


def test_data_that_end_like_a_cliff_have_their_wall_before_it() -> None:
    network = model()
    fit_repulsion(network, dataset_of(dimers(np.repeat([2.5, 2.6, 4.0], 50))))
    sigma, decay, on, range_ = network.repulsion.walls[0, 0, 1].tolist()
    assert 0 < sigma < 2.5 and on < 2.5 <= range_ < CUTOFF and on < range_
    assert np.exp((sigma - 2.5) / decay) < KT < np.exp((sigma - 2.0) / decay)


def test_too_few_distances_are_refused() -> None:
    with pytest.raises(InputError, match=r"at least 100 distances within 8 Å.*got 99; give more"):
        fit_repulsion(model(), dataset_of(dimers(np.array([3.0] * 99 + [9.0] * 10))))
