"""Hessians of calculators, against a spring's: k (1 - L/r) across it and k along it."""

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes

from mlipkd.calculators.labelling import hessian

K, LENGTH, DISTANCE = 30.0, 0.7, 0.8


class Spring(Calculator):
    """E = ½ K (r - LENGTH)² of two atoms."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012

    def calculate(self, atoms=None, properties=(), system_changes=all_changes) -> None:
        super().calculate(atoms, properties, system_changes)
        arm = atoms.positions[1] - atoms.positions[0]
        stretch = np.linalg.norm(arm) - LENGTH
        pull = K * stretch * arm / np.linalg.norm(arm)
        self.results = {"energy": K * stretch**2 / 2, "forces": np.array([pull, -pull])}


class Knowing(Spring):
    """One with a Hessian, of the shape that MACE's calculator gives it."""

    def get_hessian(self, atoms):
        return wanted().reshape(6, 2, 3) + 1


class Lacking(Spring):
    """One whose class has Hessians, but not for this model."""

    def get_hessian(self, atoms):
        raise NotImplementedError("only implemented for other models")


class ByPairs(Spring):
    """One whose Hessians are blocks of pairs of atoms, which would be read as another matrix."""

    def get_hessian(self, atoms):
        return np.zeros((2, 2, 3, 3))


def wanted() -> np.ndarray:
    """(6, 6), eV/Å²."""
    across = K * (1 - LENGTH / DISTANCE)
    block = np.diag([across, across, K])
    return np.block([[block, -block], [-block, block]])


def pair(calculator) -> Atoms:
    return Atoms("H2", [[0, 0, 0], [0, 0, DISTANCE]], calculator=calculator)


@pytest.mark.parametrize("calculator", [Spring, Lacking])
def test_differences_of_forces_are_the_springs(calculator) -> None:
    atoms = pair(calculator())
    np.testing.assert_allclose(hessian(atoms), wanted(), atol=1e-3)
    np.testing.assert_array_equal(atoms.positions, [[0, 0, 0], [0, 0, DISTANCE]])


def test_a_calculators_own_come_first() -> None:
    np.testing.assert_array_equal(hessian(pair(Knowing())), wanted() + 1)


def test_another_order_of_coordinates_is_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(2, 2, 3, 3\) instead of \(6, 6\)"):
        hessian(pair(ByPairs()))
