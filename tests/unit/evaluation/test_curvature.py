"""Curvature of diatomic molecules, whose frequencies are known: ω² = k (1/m₁ + 1/m₂)."""

from dataclasses import replace

import numpy as np
import pytest

from mlipkd.datasets import file as dataset_file
from mlipkd.datasets.dataset import TEST, TRAIN
from mlipkd.errors import InputError
from mlipkd.evaluation.curvature import evaluate_curvature
from mlipkd.testing import dataset_of

#: Of H2 with 35 eV/Å²: √(2 · 35 eV/Å² / 1.008 u) in 1/cm.
H2 = 521.47 * np.sqrt(2 * 35.0 / 1.008)
STIFFNESS = np.array([35.0, -35.0, 35.0, 35.0])


def blocks(stiffness):
    """Hessians of H2 along z for each stiffness: (4 for each, 3, 3)."""
    along = np.zeros((3, 3))
    along[2, 2] = 1
    signs = np.array([1, -1, -1, 1])
    return (np.asarray(stiffness)[:, None] * signs).reshape(-1, 1, 1) * along


def member(factor=1.0, force=0.0):
    """A member whose Hessians are the reference's times a factor; its forces are off."""

    def predictions(dataset):
        reference = dataset.labels["reference"]
        return {
            "energy": reference["energy"],
            "forces": reference["forces"] + force,
            "hessian": np.nan_to_num(reference["hessian"]) * factor,
        }

    return predictions


@pytest.fixture
def asked(tmp_path):
    """A function that evaluates ensembles on four H2: a minimum and a saddle at rest that are
    tested on, a minimum that is trained on, and one far from rest; rows as {(seed, metric): …}."""

    def ask(*ensembles, kinds=((0, "rest"), (3, "far")), **labels):
        pair = (np.ones(2, int), np.array([[0, 0, 0], [0, 0, 0.75]]), np.zeros((3, 3)))
        forces = np.zeros((8, 3))
        forces[6:, 2] = [1.0, -1.0]
        given = {"energy": np.zeros(4), "forces": forces, "hessian": blocks(STIFFNESS)} | labels
        dataset = dataset_of([pair] * 4, **{k: v for k, v in given.items() if v is not None})
        dataset.splits[:] = TEST, TEST, TRAIN, TEST
        dataset = replace(dataset, provenance={**dataset.provenance, "kinds": list(kinds)})
        dataset_file.write(dataset, tmp_path / "dataset.h5")
        with dataset_file.DatasetFile(tmp_path / "dataset.h5") as file:
            rows = evaluate_curvature(file, ensembles, 0.05)
        return {(row.seed, row.subset, row.metric): row.value for row in rows}

    return ask


def test_frequencies_are_compared_at_stationary_points(asked, ensemble_of) -> None:
    found = asked(ensemble_of(member(1.21)))
    assert found[0, "minima", "frequencies_mae"] == pytest.approx(0.1 * H2, rel=1e-3)
    assert found[0, "saddles", "frequencies_rmse"] == pytest.approx(0.1 * H2, rel=1e-3)
    assert found[0, "trained minima", "frequencies_mae"] == pytest.approx(0.1 * H2, rel=1e-3)
    assert (0, "trained saddles", "frequencies_mae") not in found
    assert found[0, "saddles", "imaginary_right"] == 1


def test_a_saddle_taken_for_a_minimum_is_counted(asked, ensemble_of) -> None:
    found = asked(ensemble_of(member(-1.0), member()))
    for part in ("minima", "saddles", "trained minima"):
        assert found[0, part, "imaginary_right"] == 0
        assert found[1, part, "imaginary_right"] == 1
    assert found[0, "saddles", "frequencies_mae"] == pytest.approx(2 * H2, rel=1e-3)
    # The mean of both is no Hessian at all.
    assert found["ensemble", "minima", "frequencies_mae"] == pytest.approx(H2, rel=1e-3)


def test_kinds_are_told_apart_on_the_test_split(asked, ensemble_of) -> None:
    stiffness = STIFFNESS * [1, 1, 1, 2]
    found = asked(ensemble_of(member(1.1, 0.2)), hessian=blocks(stiffness))
    per_entry = 35 * np.sqrt(4 / 36)  # of 36 entries of a Hessian, four are not 0
    assert found[0, "rest", "hessian_rmse"] == pytest.approx(0.1 * per_entry)
    assert found[0, "far", "hessian_rmse"] == pytest.approx(0.2 * per_entry)
    assert found[0, "far", "forces_mae"] == pytest.approx(0.2)
    assert found[0, "far", "energy_rmse"] == 0


def test_without_kinds_there_are_frequencies_alone(asked, ensemble_of) -> None:
    found = asked(ensemble_of(member()), kinds=())
    assert {metric for *_, metric in found} == {
        "frequencies_rmse",
        "frequencies_mae",
        "imaginary_right",
    }


def test_missing_hessians_are_left_out(asked, ensemble_of) -> None:
    missing = blocks(STIFFNESS)
    missing[:4] = np.nan
    found = asked(ensemble_of(member(1.21)), hessian=missing)
    assert (0, "minima", "frequencies_mae") not in found
    assert (0, "saddles", "frequencies_mae") in found


def test_calculators_are_asked_like_members(asked, ensemble_of, calculator_of) -> None:
    found = asked(calculator_of(member(1.21)))
    assert found == asked(ensemble_of(member(1.21)))
    assert (0, "rest", "hessian_rmse") in found


def test_points_that_a_calculator_fails_on_are_left_out(asked, calculator_of) -> None:
    def predictions(dataset):
        found = member(1.21)(dataset)
        for label, rows in {"energy": 1, "forces": 2, "hessian": 4}.items():
            found[label] = found[label].copy()
            found[label][:rows] = np.nan  # of the first, a minimum
        return found

    oracle = calculator_of(predictions)
    found = asked(oracle)
    assert not any(subset == "minima" for _, subset, _ in found)
    assert found[0, "saddles", "frequencies_mae"] == pytest.approx(0.1 * H2, rel=1e-3)
    (note,) = oracle.notes()
    assert "no reason" in note


def test_calculators_without_forces_have_errors_of_energies(asked, calculator_of) -> None:
    oracle = calculator_of(member())
    oracle.calculator.quantities = ["energy"]
    assert {(subset, metric) for _, subset, metric in asked(oracle)} == {
        (kind, f"energy{per}_{error}")
        for kind in ("rest", "far")
        for per in ("", "_per_atom")
        for error in ("rmse", "mae")
    }


def test_what_has_no_curvature_is_refused(asked, ensemble_of) -> None:
    with pytest.raises(InputError, match=r"reference Hessians and forces .* got energy, forces;"):
        asked(ensemble_of(member()), hessian=None)
    with pytest.raises(InputError, match=r"expected stationary points, .* found none; raise"):
        asked(ensemble_of(member()), forces=np.ones((8, 3)))
