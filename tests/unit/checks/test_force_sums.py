"""Sums of forces: net forces and torques have the right value, and zeros are told from symmetry."""

from dataclasses import replace

import numpy as np
import pytest

from mlipkd.checks.check import check, contents
from mlipkd.checks.force_sums import sums, zero_forces
from mlipkd.testing import dataset_of


def with_forces(dataset, forces):
    reference = {**dataset.labels["reference"], "forces": forces}
    return replace(dataset, labels={"reference": reference})


def test_forces_of_a_method_have_no_net_force_and_no_torque(springs) -> None:
    left = sums(springs)
    assert left.force == pytest.approx(0, abs=1e-9)
    assert left.torque == pytest.approx(0, abs=1e-9)


def test_an_error_of_each_force_is_what_is_told(springs) -> None:
    forces = springs.labels["reference"]["forces"].copy()
    forces[21:24] += [0, 0.1, 0]
    dataset = with_forces(springs, forces)
    assert sums(dataset).force[7] == pytest.approx(0.1 * np.sqrt(3))
    report = check(dataset)
    assert report.faults == []
    (line,) = [line for line in contents(dataset, report) if line.startswith("net force")]
    assert "up to 0.17 eV/Å" in line and "configuration 7;" in line
    assert "above 0.05 eV/Å in 1 of 40 configurations" in line


def test_independent_errors_are_told_by_their_size() -> None:
    rng = np.random.default_rng(1)
    size = 20
    made = [
        (np.full(size, 6), 2 * rng.normal(size=(size, 3)), np.zeros((3, 3))) for _ in range(2000)
    ]
    left = sums(dataset_of(made, forces=0.1 * rng.normal(size=(2000 * size, 3))))
    rms = [np.sqrt((values**2).mean()) for values in (left.force, left.torque)]
    assert rms[0] == pytest.approx(0.1 * np.sqrt(3), rel=0.05)
    assert rms[1] == pytest.approx(0.1 * np.sqrt(2), rel=0.05)


def test_a_net_force_is_refused_in_free_and_periodic_systems(springs) -> None:
    forces = springs.labels["reference"]["forces"].copy()
    forces[21:24] += [0, 3, 0]
    dataset = with_forces(springs, forces)
    (fault,) = check(dataset).faults
    assert fault.startswith("test: configuration 7: expected forces without a net force, got one")
    boxes = replace(
        dataset,
        cells=np.repeat(15 * np.eye(3)[None], 40, axis=0),
        periodic=np.ones((40, 3), bool),
    )
    assert sums(boxes).force[7] == pytest.approx(3 * np.sqrt(3))
    assert np.isnan(sums(boxes).torque).all()
    assert "configuration 7: expected forces without a net force" in check(boxes).faults[0]


def test_a_torque_is_refused_in_free_systems(springs) -> None:
    forces = springs.labels["reference"]["forces"].copy()
    arms = springs.positions[21:24] - springs.positions[21:24].mean(0)
    forces[21:24] += np.cross([4.0, 0, 0], arms)
    (fault,) = check(with_forces(springs, forces)).faults
    assert fault.startswith("test: configuration 7: expected forces without a torque, got one")


def test_forces_of_a_quarter_that_are_zero_are_named(springs) -> None:
    forces = springs.labels["reference"]["forces"].reshape(40, 3, 3).copy()
    forces[::4] = 0
    faults = check(with_forces(springs, forces.reshape(-1, 3))).faults
    assert faults[0].startswith("test: configuration 0: expected forces of atoms off their balance")
    assert "exactly zero for all atoms" in faults[0]
    assert faults[-1].endswith("(and so in 5 configurations more)")


def test_forces_that_a_constraint_made_zero_are_named(springs) -> None:
    forces = springs.labels["reference"]["forces"].reshape(40, 3, 3).copy()
    forces[:, 1:] = 0
    faults = check(with_forces(springs, forces.reshape(-1, 3))).faults
    assert "exactly zero for 2 of 3 atoms, as a constraint leaves them" in faults[0]
    assert "apply_constraint=False" in faults[0]


def test_zeros_by_symmetry_or_without_bonds_are_right(springs) -> None:
    face_centred = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    crystals = [(np.full(4, 13), side * face_centred, side * np.eye(3)) for side in (3.9, 4.0, 4.2)]
    assert zero_forces(dataset_of(crystals, forces=np.zeros((12, 3)))) == []
    apart = (np.array([18, 18]), np.array([[0, 0, 0], [0, 0, 8.0]]), np.zeros((3, 3)))
    assert zero_forces(dataset_of([apart], forces=np.zeros((2, 3)))) == []
    assert zero_forces(springs) == []
