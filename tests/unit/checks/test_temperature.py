"""The temperature that positions and forces imply, of a system that can be sampled exactly."""

from dataclasses import replace

import numpy as np
import pytest
from ase.units import kB

from mlipkd.checks.check import check
from mlipkd.checks.positions_and_labels import contacts
from mlipkd.checks.temperature import temperature
from mlipkd.datasets.dataset import Bead
from mlipkd.testing import dataset_of
from mlipkd.units import HARTREE, KCAL_MOL

STIFFNESS, REST = 2.0, 3.0  # eV/Å², Å
KELVIN = 300.0
FRAMES = 1500


def dimers(cell: np.ndarray, noise: float = 0.1):
    """Two beads on a spring, in the canonical ensemble, with forces as noisy as said, eV/Å."""
    rng = np.random.default_rng(1)
    distances = np.linspace(2.0, 4.0, 4001)
    weights = distances**2 * np.exp(-0.5 * STIFFNESS * (distances - REST) ** 2 / (kB * KELVIN))
    below = weights.cumsum() / weights.sum()
    quantiles = np.interp((np.arange(FRAMES) + 0.5) / FRAMES, below, distances)
    distance = rng.permutation(quantiles)[:, None]
    direction = rng.normal(size=(FRAMES, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    positions = np.stack([0 * direction, distance * direction], axis=1)  # (frames, 2, 3)
    positions += rng.random((FRAMES, 1, 3)) * 20
    if cell.any():
        positions %= np.diag(cell)
    pull = -STIFFNESS * (distance - REST) * direction
    forces = np.stack([-pull, pull], axis=1) + rng.normal(scale=noise, size=(FRAMES, 2, 3))
    made = dataset_of(
        [(np.array([1, 2]), frame, cell) for frame in positions], forces=forces.reshape(-1, 3)
    )
    return replace(
        made,
        beads=(Bead("a", 10.0), Bead("b", 12.0)),
        provenance={"source": {"temperature": KELVIN}},
    )


@pytest.fixture(scope="module")
def dataset():
    return dimers(np.zeros((3, 3)))


def scaled(dataset, forces=1.0, positions=1.0):
    reference = {"forces": forces * dataset.labels["reference"]["forces"]}
    return replace(
        dataset,
        labels={"reference": reference},
        positions=positions * dataset.positions,
        cells=positions * dataset.cells,
    )


@pytest.mark.parametrize("side", [0.0, 20.0], ids=["free", "periodic"])
def test_exact_forces_imply_the_temperature_of_the_ensemble(side) -> None:
    dataset = dimers(side * np.eye(3), noise=0.0)
    assert temperature(dataset, contacts(dataset)).implied == pytest.approx(KELVIN, rel=0.01)


def test_noise_adds_no_more_than_uncertainty(dataset) -> None:
    result = temperature(dataset, contacts(dataset))
    assert 10 < result.error < 40
    assert result.implied == pytest.approx(KELVIN, abs=4 * result.error)
    assert result.fault() is None


def test_sound_beads_pass_and_the_temperature_is_said(dataset) -> None:
    report = check(dataset)
    assert report.faults == []
    assert any("the dynamics was at 300 K" in remark for remark in report.remarks)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"forces": -1}, "expected forces F = -dU/dR, got gradients"),
        ({"forces": 1 / KCAL_MOL}, "expected forces that go with 300 K"),
        ({"forces": KCAL_MOL}, "expected forces that go with 300 K"),
        ({"forces": HARTREE}, "expected forces that go with 300 K"),
        ({"positions": 10}, "expected forces that go with 300 K"),
    ],
)
def test_a_wrong_sign_or_unit_is_told(dataset, change, message) -> None:
    (fault,) = check(scaled(dataset, **change)).faults
    assert fault.startswith(f"test: {message}")


def test_nothing_is_told_from_too_little(dataset) -> None:
    few = dataset.select(range(9))
    assert temperature(few, contacts(few)) is None
    unstated = replace(dataset, provenance={})
    assert temperature(unstated, contacts(dataset)) is None
