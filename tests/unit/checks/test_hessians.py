"""Hessians that don't go with their configurations, which checks must notice."""

from dataclasses import replace

import numpy as np
import pytest
from ase.units import Bohr, Hartree

from mlipkd.checks.check import check
from mlipkd.checks.hessians import implied_unit


def labelled(dataset, source=None, **factors):
    """The dataset with labels multiplied, and read in some units."""
    reference = dataset.labels["reference"]
    scaled = {label: values * factors.get(label, 1) for label, values in reference.items()}
    provenance = {**dataset.provenance, "source": source or {}}
    return replace(dataset, labels={"reference": scaled}, provenance=provenance)


def test_hessians_of_springs_are_sound(curved) -> None:
    assert check(curved).faults == []
    assert implied_unit(curved).slope == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(
    ("factors", "read_in", "message"),
    [
        (
            {"hessian": Bohr**2},
            {"hessian_unit": "Ha/Å^2", "force_unit": "Ha/Å"},
            "as of Hessians in Ha/bohr^2; state the units",
        ),
        ({"hessian": 1 / Hartree}, {}, "as of Hessians in Ha/Å^2"),
        (
            {"hessian": 1.7},
            {},
            "got a mismatch (slope +1.7, correlation +1.00); state the units",
        ),
    ],
)
def test_a_wrong_unit_shows_as_the_molecules_are_turned(curved, factors, read_in, message) -> None:
    (fault,) = check(labelled(curved, read_in, **factors)).faults
    assert message in fault


def test_gradients_beside_hessians_are_noticed(curved) -> None:
    fault = implied_unit(labelled(curved, forces=-1)).fault()
    assert fault is not None and "state the other force sign" in fault


def test_at_rest_the_unit_shows_in_the_stretching_of_bonds_to_hydrogen(curved) -> None:
    """Without forces, rotation tells nothing; springs half as stiff vibrate with 3,330/cm."""
    still = labelled(curved, {"hessian_unit": "Ha/bohr^2"}, forces=0, hessian=0.5)
    assert abs(implied_unit(still).correlation) < 0.9
    assert implied_unit(still).fault() is None
    wrong = labelled(curved, {"hessian_unit": "Ha/bohr^2"}, forces=0, hessian=0.5 / Bohr**2)
    fault = implied_unit(wrong).fault()
    assert fault is not None and "they look like Hessians in Ha/Å^2" in fault


def test_an_asymmetric_hessian_is_named(curved) -> None:
    curved.labels["reference"]["hessian"][9 * 7 + 1, 0, 2] += 20
    (fault,) = check(curved).faults
    assert "configuration 7: expected a symmetric Hessian" in fault


def test_a_hessian_of_another_orientation_is_named(curved) -> None:
    turn, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))
    blocks = curved.labels["reference"]["hessian"]
    blocks[9 * 3 : 9 * 4] = turn @ blocks[9 * 3 : 9 * 4] @ turn.T
    (fault,) = check(curved).faults
    assert "configuration 3: expected a Hessian of these positions" in fault


def test_a_hessian_that_moving_the_molecule_changes_is_named(curved) -> None:
    blocks = curved.labels["reference"]["hessian"]
    blocks[9 * 5 : 9 * 6] += 10 * np.eye(3)  # on every pair: symmetric, but no free molecule's
    (fault,) = check(curved).faults
    assert "configuration 5: expected a Hessian of these positions" in fault


def test_missing_hessians_are_passed_over(curved) -> None:
    curved.labels["reference"]["hessian"][9 * 5 : 9 * 6] = np.nan
    masked = replace(curved, provenance={**curved.provenance, "masked": ["hessian"]})
    assert check(masked).faults == []


def test_hessians_of_periodic_configurations_are_refused(curved) -> None:
    curved.cells[2], curved.periodic[2] = 20 * np.eye(3), True
    (fault,) = check(curved).faults
    assert (
        "configuration 2: expected free molecules for Hessians, got 1 configurations with a cell"
        in fault
    )
