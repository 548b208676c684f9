"""Errors on the test split against hand-worked numbers."""

import functools

import numpy as np
import pytest

from mlipkd.datasets import file as dataset_file
from mlipkd.datasets.dataset import TEST, TRAIN, Dataset, memory_batches
from mlipkd.errors import InputError
from mlipkd.evaluation.errors import evaluate_errors
from mlipkd.testing import dataset_of


def off_by(energy: float, forces: float):
    """A member whose errors are these."""

    def member(dataset: Dataset) -> dict[str, np.ndarray]:
        reference = dataset.labels["reference"]
        return {
            "energy": np.nan_to_num(reference["energy"]) + energy,
            "forces": np.nan_to_num(reference.get("forces", np.zeros(()))) + forces,
        }

    return member


@pytest.fixture
def asked(tmp_path):
    """A function that evaluates ensembles on four molecules of 1, 2, 2 and 4 atoms, the last three
    being the test split; the rows as {(family, seed, metric): (value, unit)}."""

    def ask(*ensembles, splits=(TRAIN, TEST, TEST, TEST), **labels):
        sizes = (1, 2, 2, 4)
        dataset = dataset_of(
            [(np.ones(n, int), np.arange(3.0 * n).reshape(-1, 3), np.zeros((3, 3))) for n in sizes],
            **labels,
        )
        dataset.splits[:] = splits
        dataset_file.write(dataset, tmp_path / "dataset.h5")
        with dataset_file.DatasetFile(tmp_path / "dataset.h5") as file:
            rows = evaluate_errors(file, ensembles)
        return {(row.family, row.seed, row.metric): (row.value, row.unit) for row in rows}

    return ask


ENERGY = np.array([100.0, 1.0, 2.0, 3.0])
FORCES = np.zeros((9, 3))


@pytest.mark.parametrize("atoms", [2, 1000])
def test_members_and_their_mean(asked, ensemble_of, monkeypatch, atoms) -> None:
    monkeypatch.setattr(
        "mlipkd.evaluation.core.error_sums.memory_batches",
        functools.partial(memory_batches, atoms=atoms),
    )
    found = asked(ensemble_of(off_by(4, 0.3), off_by(-2, 0.1)), energy=ENERGY, forces=FORCES)
    assert found["teachers", 0, "energy_rmse"] == (pytest.approx(4), "eV")
    assert found["teachers", 1, "energy_mae"] == (pytest.approx(2), "eV")
    assert found["teachers", 1, "forces_rmse"] == (pytest.approx(0.1), "eV/Å")
    # errors per atom 2, 2, 1
    assert found["teachers", 0, "energy_per_atom_mae"] == (pytest.approx(5 / 3), "eV/atom")
    assert found["teachers", 0, "energy_per_atom_rmse"] == (pytest.approx(np.sqrt(3)), "eV/atom")
    assert found["teachers", "ensemble", "energy_rmse"] == (pytest.approx(1), "eV")
    assert found["teachers", "ensemble", "forces_mae"] == (pytest.approx(0.2), "eV/Å")
    assert len(found) == 3 * 6


def test_missing_labels_are_left_out(asked, ensemble_of) -> None:
    energy = np.array([np.nan, 1.0, np.nan, 3.0])
    forces = np.zeros((9, 3))
    forces[3:5] = np.nan
    found = asked(ensemble_of(off_by(4, 0.3)), energy=energy, forces=forces)
    assert found["teachers", 0, "energy_rmse"] == (pytest.approx(4), "eV")
    assert found["teachers", 0, "energy_per_atom_mae"] == (pytest.approx((2 + 1) / 2), "eV/atom")
    assert found["teachers", 0, "forces_rmse"] == (pytest.approx(0.3), "eV/Å")


def test_no_labels_no_rows(asked, ensemble_of) -> None:
    found = asked(ensemble_of(off_by(4, 0.3)), energy=ENERGY)
    assert not any("forces" in metric for _, _, metric in found)
    assert len(found) == 4
    assert not asked(ensemble_of(off_by(4, 0.3)), energy=np.full(4, np.nan))


def test_families_side_by_side(asked, ensemble_of) -> None:
    families = [ensemble_of(off_by(size, 0), family=name) for size, name in [(1, "a"), (2, "b")]]
    found = asked(*families, energy=ENERGY)
    assert found["a", 0, "energy_rmse"][0] == pytest.approx(1)
    assert found["b", 0, "energy_rmse"][0] == pytest.approx(2)


def test_members_of_another_dataset_are_refused(asked, ensemble_of) -> None:
    with pytest.raises(InputError, match="expected members of dataset test"):
        asked(ensemble_of(off_by(0, 0), dataset="other"), energy=ENERGY)


def test_an_empty_test_split_is_refused(asked, ensemble_of) -> None:
    with pytest.raises(InputError, match="test split, got none"):
        asked(ensemble_of(off_by(0, 0)), energy=ENERGY, splits=TRAIN)
