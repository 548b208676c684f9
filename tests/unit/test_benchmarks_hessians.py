"""The benchmark of Hessians trains on what it says, and reports it."""

import numpy as np
import pytest
import torch

from benchmarks import hessian_epoch
from benchmarks.hessian_epoch import KINDS, alkane, epoch, molecules
from benchmarks.hessians import exponent, number, page
from mlipkd.datasets.file import DatasetFile, write


@pytest.mark.parametrize("carbons", [1, 2, 5])
def test_chains_are_alkanes(carbons) -> None:
    numbers, positions, _ = alkane(carbons, np.random.default_rng(1))
    assert np.bincount(numbers).tolist() == [0, 2 * carbons + 2, 0, 0, 0, 0, carbons]
    distances = np.linalg.norm(positions[:, None] - positions, axis=-1)
    assert distances[np.triu_indices(len(numbers), 1)].min() > 0.8
    bonds = (distances < 1.9) & (distances > 0)
    bonds &= (numbers == 6)[:, None] | (numbers == 6)
    assert set(bonds[numbers == 6].sum(1)) == {4}
    assert set(bonds[numbers == 1].sum(1)) == {1}


@pytest.mark.parametrize("kind", KINDS)
def test_an_epoch_moves_the_weights(tmp_path, monkeypatch, kind) -> None:
    stepped = []
    step = hessian_epoch.Members.step
    monkeypatch.setattr(
        hessian_epoch.Members,
        "step",
        lambda self, derivatives: (stepped.append(derivatives), step(self, derivatives)),
    )
    write(molecules(1), tmp_path / "dataset.h5")
    with DatasetFile(tmp_path / "dataset.h5") as file:
        epoch(kind, file, torch.device("cpu"))()
    (derivatives,) = stepped
    assert all(torch.isfinite(derivative).all() for derivative in derivatives)
    assert any(derivative.abs().max() > 0 for derivative in derivatives)


def test_the_page_says_how_all_grows() -> None:
    sizes = [10, 20, 40, 80]
    powers = {"E-F": 1, "E-F-HVP": 1, "E-F-H": 2}
    results = {
        kind: [{"atoms": n, "seconds": 0.01 * n**power, "bytes": 1e6 * n**power} for n in sizes]
        for kind, power in powers.items()
    }
    for kind, power in powers.items():
        assert exponent(results[kind], "seconds") == pytest.approx(power)
    text = page(results, "cpu")
    assert "| 40 | 50 | 50 | 2000 | 40 |" in text
    assert "or more, from 40 atoms on" in text
    assert "| grows like, from 20 atoms on | n^1.00 | n^1.00 | n^2.00 | |" in text
    assert "| 80 | 80 | 80 | 6400 |" in text


@pytest.mark.parametrize(
    ("value", "written"),
    [(2.16, "2.16"), (99.96, "100"), (999.7, "1000"), (1207.3, "1207"), (0.0512, "0.0512")],
)
def test_numbers_need_no_powers_of_ten(value, written) -> None:
    assert number(value) == written
