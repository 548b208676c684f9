"""The ANI-1ccx networks against labels that others made with them: units, signs, conformers."""

import h5py
import numpy as np
import pytest
from ase.build import molecule

from mlipkd.calculators.labelling import CalculatorMember, hessian
from mlipkd.datasets.normal_modes import hessian_matrix
from mlipkd.errors import InputError
from mlipkd.evaluation.comp6 import evaluate_comp6, read_subset
from mlipkd.evaluation.core.ensembles import CalculatorEnsemble
from mlipkd.readers.ani import Ani1x, Comp6
from mlipkd.testing import dataset_of

pytest.importorskip("torchani", reason="needs the extra torchani")

ANI = "mlipkd.calculators.ani:ANI"


@pytest.fixture
def member(write_calculator, shared_data) -> CalculatorMember:
    folder = str(shared_data / "weights" / "ani-1ccx_8x")
    return CalculatorMember(write_calculator(ANI, {"folder": folder}))


def test_labels_of_small_molecules(member, shared_data) -> None:
    source = Ani1x(
        reader="ani1x",
        files=[str(shared_data / "chno" / "ani1x-release-small.h5")],
        energy="ccsd(t)_cbs.energy",
    )
    few = source.read("chno").select(range(0, 200, 10))
    found, failed = member.predict(few, ["energy", "atomic_energies"])
    assert not failed
    np.testing.assert_allclose(found["energy"], few.labels["reference"]["energy"], atol=1e-9)
    sums = np.add.reduceat(found["atomic_energies"], few.offsets[:-1])
    np.testing.assert_allclose(sums, found["energy"], atol=1e-9)


def test_scores_of_its_own_labels_vanish(member, shared_data, tmp_path) -> None:
    with (
        h5py.File(shared_data / "chno" / "comp6_torsion_ccx.h5") as whole,
        h5py.File(tmp_path / "few.h5", "w") as few,
    ):
        subset = next(iter(whole))
        for molecule in list(whole[subset])[:2]:
            group = few.create_group(f"{subset}/{molecule}")
            group["species"] = whole[subset][molecule]["species"][()]
            for key in ("coordinates", "energies", "forces"):
                group[key] = whole[subset][molecule][key][:4]
    torsions = read_subset("torsion", Comp6(reader="comp6", files=[str(tmp_path / "few.h5")]))
    ensemble = CalculatorEnsemble("chno", "ani", "calculator", species=None, calculator=member)
    rows = {
        row.metric: row.value
        for row in evaluate_comp6({"torsion": torsions}, 100, [ensemble])
        if row.subset == "torsion"
    }
    assert rows["energy_rmse"] < 1e-8  # kcal/mol
    assert rows["conformer_energy_mae"] < 1e-8
    assert rows["forces_rmse"] < 1e-5  # the file's are in float32
    assert ensemble.notes() == []


def test_hessians_are_slopes_of_forces(member) -> None:
    """Over 1e-6 Å, which the kinks of CELU are seldom within."""
    water = molecule("H2O")
    water.rattle(0.05, seed=0)
    water.calc = member.calculator
    found, direction = hessian(water), np.random.default_rng(0).normal(size=(3, 3))
    rest, forces = water.get_positions(), []
    for step in (1e-6, -1e-6):
        water.set_positions(rest + step * direction)
        forces.append(water.get_forces())
    slope = (forces[1] - forces[0]).ravel() / 2e-6
    np.testing.assert_allclose(found @ direction.ravel(), slope, atol=1e-5)  # of some 50 eV/Å²


def test_labels_have_its_own_hessians(member) -> None:
    water = molecule("H2O")
    dataset = dataset_of([(water.numbers, water.positions, np.zeros((3, 3)))], energy=np.zeros(1))
    found, failed = member.predict(dataset, ["hessian"])
    assert not failed
    np.testing.assert_array_equal(
        hessian_matrix(found["hessian"]), member.calculator.get_hessian(water)
    )


def test_an_unknown_element_is_a_failure(member) -> None:
    dataset = dataset_of([([14, 1], np.eye(3)[:2], np.zeros((3, 3)))], energy=np.zeros(1))
    _, failed = member.predict(dataset, ["energy"])
    assert list(failed) == [0]


def test_another_folder_is_refused(write_calculator, tmp_path) -> None:
    with pytest.raises(InputError, match="expected a folder of ANI networks"):
        CalculatorMember(write_calculator(ANI, {"folder": str(tmp_path)}))
