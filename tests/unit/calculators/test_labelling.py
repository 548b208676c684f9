"""What a calculator says of a dataset, as a reference or as a member; Hessians of calculators."""

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT

from mlipkd.calculators.labelling import CalculatorMember, hessian
from mlipkd.campaign import ConfigError
from mlipkd.testing import dataset_of, random_crystal, random_molecule

OF_CRYSTALS = ["energy", "forces", "atomic_energies", "stress"]


@pytest.fixture
def metals():
    """Crystals of copper, the second with a xenon, which EMT does not know."""
    generator = np.random.default_rng(0)
    crystals = [random_crystal(generator, atoms, (29,)) for atoms in (3, 4, 2)]
    crystals[1][0][2] = 54
    return dataset_of(crystals, energy=np.zeros(3))


def test_labels_are_the_calculators(write_calculator, metals) -> None:
    member = CalculatorMember(write_calculator())
    assert member.quantities == [*OF_CRYSTALS, "hessian"]
    found, failed = member.predict(metals, OF_CRYSTALS)
    assert list(failed) == [1]
    assert "Xe" in failed[1]
    for m in (0, 2):
        atoms = slice(*metals.offsets[m : m + 2])
        alone = Atoms(
            metals.species[atoms], metals.positions[atoms], cell=metals.cells[m], pbc=True
        )
        alone.calc = EMT()
        assert found["energy"][m] == pytest.approx(alone.get_potential_energy(), rel=1e-12)
        np.testing.assert_allclose(found["forces"][atoms], alone.get_forces(), rtol=1e-9)
        np.testing.assert_allclose(found["stress"][m], alone.get_stress(voigt=False), rtol=1e-9)
        assert found["atomic_energies"][atoms].sum() == pytest.approx(found["energy"][m])


def test_a_failure_is_nan_for_its_configuration_and_no_other(write_calculator, metals) -> None:
    member = CalculatorMember(write_calculator())
    found, _ = member.predict(metals, OF_CRYSTALS)
    for quantity, per_row in (("energy", [0, 1, 0]), ("forces", [0] * 3 + [1] * 4 + [0] * 2)):
        missing = np.isnan(found[quantity]).reshape(len(per_row), -1)
        assert missing.all(1).tolist() == missing.any(1).tolist() == [bool(row) for row in per_row]


def test_what_is_not_finite_is_a_failure(write_calculator) -> None:
    pair = dataset_of([([18, 18], np.zeros((2, 3)), np.zeros((3, 3)))], energy=np.zeros(1))
    member = CalculatorMember(write_calculator("ase.calculators.lj:LennardJones"))
    with np.errstate(all="ignore"):
        found, failed = member.predict(pair, ["energy"])
    assert failed == {0: "energy not finite"}
    assert np.isnan(found["energy"]).all()


def test_labels_do_not_depend_on_the_order(write_calculator) -> None:
    """tblite would begin with the wave function of the configuration before."""
    generator = np.random.default_rng(0)
    numbers, positions, cell = random_molecule(generator, 4, (1,))
    moved = [(numbers, positions + generator.normal(0, 0.1, (4, 3)), cell) for _ in range(4)]
    options = {"method": "GFN2-xTB", "verbosity": 0}
    member = CalculatorMember(write_calculator("tblite.ase:TBLite", options))
    forwards, _ = member.predict(dataset_of(moved, energy=np.zeros(4)), ["energy"])
    backwards, _ = member.predict(dataset_of(moved[::-1], energy=np.zeros(4)), ["energy"])
    np.testing.assert_array_equal(forwards["energy"], backwards["energy"][::-1])


def test_who_it_is(write_calculator) -> None:
    metadata = CalculatorMember(write_calculator("tblite.ase:TBLite", {"verbosity": 0})).metadata
    assert (metadata["family"], metadata["model"], metadata["seed"]) == ("oracle", "calculator", 0)
    assert metadata["calculator"] == {"type": "tblite.ase:TBLite", "options": {"verbosity": 0}}
    assert set(metadata["packages"]) == {"ase", "tblite"}


def test_settings_of_another_job_are_refused(tmp_path) -> None:
    (tmp_path / "settings.yaml").write_text("dataset: test\nfamily: students\nseed: 0\n")
    with pytest.raises(ConfigError, match="calculator: expected a value"):
        CalculatorMember(tmp_path / "settings.yaml")


def test_hessians_are_differences_of_the_calculators_forces(write_calculator) -> None:
    """A dimer of the Lennard-Jones potential, of which the second derivative is known."""
    r = 1.2
    ends = np.array([[0, 0, 0], [r, 0, 0]])
    pair = dataset_of([([18, 18], ends, np.zeros((3, 3)))], energy=np.zeros(1))
    options = {"rc": 1000.0}
    member = CalculatorMember(write_calculator("ase.calculators.lj:LennardJones", options))
    found, failed = member.predict(pair, ["energy", "forces", "hessian"])
    assert not failed
    slope = 4 * (-12 * r**-13 + 6 * r**-7)
    curvature = 4 * (12 * 13 * r**-14 - 6 * 7 * r**-8)
    along = np.diag([curvature, slope / r, slope / r])
    expected = np.array([along, -along, -along, along])
    np.testing.assert_allclose(found["hessian"], expected, rtol=1e-3, atol=1e-8)


# Hessians, against a spring's: k (1 - L/r) across it and k along it.

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
        return expected().reshape(6, 2, 3) + 1


class Lacking(Spring):
    """One whose class has Hessians, but not for this model."""

    def get_hessian(self, atoms):
        raise NotImplementedError("only implemented for other models")


class ByPairs(Spring):
    """One whose Hessians are blocks of pairs of atoms, which would be read as another matrix."""

    def get_hessian(self, atoms):
        return np.zeros((2, 2, 3, 3))


def expected() -> np.ndarray:
    """(6, 6), eV/Å²."""
    across = K * (1 - LENGTH / DISTANCE)
    block = np.diag([across, across, K])
    return np.block([[block, -block], [-block, block]])


def pair(calculator) -> Atoms:
    return Atoms("H2", [[0, 0, 0], [0, 0, DISTANCE]], calculator=calculator)


@pytest.mark.parametrize("calculator", [Spring, Lacking])
def test_differences_of_forces_are_the_springs(calculator) -> None:
    atoms = pair(calculator())
    np.testing.assert_allclose(hessian(atoms), expected(), atol=1e-3)
    np.testing.assert_array_equal(atoms.positions, [[0, 0, 0], [0, 0, DISTANCE]])


def test_a_calculators_own_come_first() -> None:
    np.testing.assert_array_equal(hessian(pair(Knowing())), expected() + 1)


def test_another_order_of_coordinates_is_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(2, 2, 3, 3\) instead of \(6, 6\)"):
        hessian(pair(ByPairs()))
