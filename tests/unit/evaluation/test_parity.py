"""Parity: R² against hand-worked numbers, what becomes a point, and what is drawn."""

from dataclasses import replace

import numpy as np
import pytest

from mlipkd.campaign.campaign import Campaign
from mlipkd.campaign.plan import Plan
from mlipkd.datasets import file as dataset_file
from mlipkd.datasets.dataset import TEST, TRAIN
from mlipkd.evaluation import FIGURES, parity
from mlipkd.evaluation.core.rows import ENSEMBLE, Row
from mlipkd.evaluation.parity import evaluate_parity
from mlipkd.paths import DatasetPaths
from mlipkd.testing import dataset_of
from tests.reported import CAMPAIGN, MODEL

#: Per atom 1, 2 and 3 eV on the test split.
ENERGY = np.array([100.0, 2.0, 4.0, 6.0])
FORCES = np.arange(24.0).reshape(8, 3)
ATOMIC = np.arange(8.0)


def off_by(energy: float = 0.0, forces: float = 0.0, atomic: float = 0.0):
    """A member whose errors are these; the energy's of a whole molecule."""

    def member(dataset):
        labels = dataset.labels
        return {
            "energy": np.nan_to_num(labels["reference"]["energy"]) + energy,
            "forces": labels["reference"]["forces"] + forces,
            "atomic_energies": labels["teacher"]["atomic_energies"] + atomic
            if "teacher" in labels
            else np.zeros(len(dataset.species)),
        }

    return member


@pytest.fixture
def evaluated(tmp_path):
    """A function that compares ensembles on four molecules of two atoms, three of them tested."""

    def evaluate(*ensembles, taught=True, energy=ENERGY):
        pair = (np.ones(2, int), np.arange(6.0).reshape(2, 3), np.zeros((3, 3)))
        dataset = dataset_of([pair] * 4, energy=energy, forces=FORCES)
        dataset.splits[:] = TRAIN, TEST, TEST, TEST
        if taught:
            teacher = {"atomic_energies": ATOMIC}
            dataset = replace(dataset, labels={**dataset.labels, "teacher": teacher})
        dataset_file.write(dataset, tmp_path / "dataset.h5")
        with dataset_file.DatasetFile(tmp_path / "dataset.h5") as file:
            rows, points = evaluate_parity(file, ensembles)
        return {(row.seed, row.metric): row.value for row in rows}, points

    return evaluate


def test_members_and_their_mean(evaluated, ensemble_of) -> None:
    r2, _ = evaluated(ensemble_of(off_by(1.0, 2.0, 0.5), off_by(-1.0)))
    # Variances: of 1, 2, 3 it is 2/3; of 6, …, 23 (18² − 1)/12; of 2, …, 7 (6² − 1)/12.
    assert r2[0, "energy_per_atom_r2"] == pytest.approx(1 - 0.25 / (2 / 3))
    assert r2[0, "forces_r2"] == pytest.approx(1 - 4 / (323 / 12))
    assert r2[0, "atomic_energies_r2"] == pytest.approx(1 - 0.25 / (35 / 12))
    assert r2[1, "energy_per_atom_r2"] == pytest.approx(1 - 0.25 / (2 / 3))
    assert r2[1, "forces_r2"] == 1
    assert r2[ENSEMBLE, "energy_per_atom_r2"] == pytest.approx(1)
    assert r2[ENSEMBLE, "forces_r2"] == pytest.approx(1 - 1 / (323 / 12))
    assert len(r2) == 9


def test_without_a_teacher_there_are_no_atomic_energies(evaluated, ensemble_of) -> None:
    r2, points = evaluated(ensemble_of(off_by()), taught=False)
    assert r2 == {(0, "energy_per_atom_r2"): 1, (0, "forces_r2"): 1}
    assert {point.metric for point in points} == {"energy_per_atom", "forces"}


def test_missing_and_equal_references(evaluated, ensemble_of) -> None:
    r2, _ = evaluated(ensemble_of(off_by(1.0)), energy=np.array([1.0, np.nan, 4.0, 6.0]))
    assert r2[0, "energy_per_atom_r2"] == pytest.approx(1 - 0.25 / 0.25)
    r2, points = evaluated(ensemble_of(off_by(1.0)), energy=np.full(4, 3.0))
    assert (0, "energy_per_atom_r2") not in r2
    assert any(point.metric == "energy_per_atom" for point in points)


def test_points_are_of_the_mean(evaluated, ensemble_of) -> None:
    _, points = evaluated(ensemble_of(off_by(2.0), off_by(0.0)))
    energies = [point for point in points if point.metric == "energy_per_atom"]
    assert [(row.seed, row.at, row.value) for row in energies] == [
        (ENSEMBLE, per_atom, per_atom + 0.5) for per_atom in (1.0, 2.0, 3.0)
    ]
    assert {(row.condition, row.unit, row.at_unit) for row in energies} == {
        ("reference", "eV/atom", "eV/atom")
    }


def test_points_are_few_and_the_same_for_all(evaluated, ensemble_of, monkeypatch) -> None:
    monkeypatch.setattr(parity, "POINTS", 6)
    _, points = evaluated(ensemble_of(off_by(), family="a"), ensemble_of(off_by(), family="b"))
    drawn = {
        family: [row.at for row in points if (row.family, row.metric) == (family, "forces")]
        for family in "ab"
    }
    assert drawn["a"] == drawn["b"]
    assert 0 < len(drawn["a"]) < 18


def test_a_line_for_each_model_a_column_for_each_quantity() -> None:
    families = {"teachers": ("energy_per_atom", "forces"), "students": tuple(parity.UNITS)}
    rows = [
        Row("al", family, "m", 0, metric, at + 0.1, "eV", "", "reference", at, "eV")
        for family, metrics in families.items()
        for metric in metrics
        for at in (1.0, 2.0)
    ]
    rows += [Row("al", family, "m", 0, "forces_r2", 0.75, "1") for family in (*families, "others")]
    figure = FIGURES["parity"].of_dataset(rows, "al")
    titles = [axes.get_title().split("\n") for axes in figure.axes if axes.axison]
    assert titles == [
        ["teachers m"],
        ["teachers m", "R² = 0.7500"],
        ["students m"],
        ["students m", "R² = 0.7500"],
        ["students m"],
    ]


def test_a_student_its_control_and_the_teachers_are_drawn() -> None:
    campaign = {**CAMPAIGN, "datasets": {"metal": {**CAMPAIGN["datasets"]["metal"]}}}
    campaign["datasets"]["metal"]["evaluations"] = {"parity": {}}
    plan = Plan(Campaign.model_validate(campaign))
    assert plan.figures(DatasetPaths("metal"))["parity"] == [
        "results/tables/parity.csv",
        "results/metal/teachers/n1-l0-a1-w8-s2/parity.points.csv",
        f"results/metal/students/{MODEL}/parity.points.csv",
        f"results/metal/controls/{MODEL}/parity.points.csv",
    ]
