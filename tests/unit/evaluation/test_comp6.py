"""COMP6 on a hand-made file: subsets, the 100 kcal/mol rule, units and the sign of forces."""

import ase.io
import h5py
import numpy as np
import pytest
from ase import Atoms, units
from pydantic import ValidationError

from mlipkd.errors import InputError
from mlipkd.evaluation.comp6 import Comp6Evaluation, evaluate_comp6, read_subset
from mlipkd.readers.ani import Comp6
from mlipkd.readers.ase_file import AseFile

KCAL = units.kcal / units.mol
HARTREE = units.Hartree


def write_suite(path, molecules: dict[str, list[float]], forces: bool, first: int = 0) -> None:
    """A file in the layout of COMP6: water molecules with conformer energies in kcal/mol."""
    with h5py.File(path, "w") as file:
        for number, (name, energies) in enumerate(molecules.items(), first):
            group = file.create_group(f"subset/{name}")
            group["species"] = np.array([b"O", b"H", b"H"])
            geometry = np.array([[0, 0, 0], [0.96, 0, 0], [0, 0.96, 0]], "f4")
            scales = 1 + 0.01 * np.arange(len(energies)) + 0.1 * number
            group["coordinates"] = scales[:, None, None] * geometry
            group["energies"] = np.array(energies) * KCAL / HARTREE - 76.0
            if forces:
                signs = np.where(np.arange(len(energies)) % 2, 1, -1)[:, None, None]
                group["forces"] = np.full((3, 3), 0.5 * KCAL / HARTREE) * signs  # gradients


def comp6(*paths) -> Comp6:
    return Comp6(reader="comp6", files=[str(path) for path in paths])


@pytest.fixture
def subsets(tmp_path):
    write_suite(tmp_path / "a.h5", {"m0": [0.0, 10.0, 20.0, 100.0], "m1": [0.0, 99.0]}, forces=True)
    write_suite(tmp_path / "b.h5", {"m0": [3.0, 4.0]}, forces=False)
    return {name: read_subset(name, comp6(tmp_path / f"{name}.h5")) for name in ("a", "b")}


ERRORS = {"a": [1.0, 2.0, 4.0, 50.0, 0.0, 3.0], "b": [0.0, 2.0]}  # kcal/mol


def member(dataset):
    return {
        "energy": dataset.labels["reference"]["energy"] + np.array(ERRORS[dataset.name]) * KCAL,
        "forces": np.zeros((len(dataset.species), 3)),
    }


@pytest.fixture
def rows(subsets, ensemble_of):
    found = evaluate_comp6(subsets, 100.0, [ensemble_of(member, member)])
    return {(row.seed, row.subset, row.metric): (row.value, row.unit) for row in found}


def test_energies_are_those_of_all_conformers(rows) -> None:
    value, unit = rows[0, "a", "energy_rmse"]
    assert (value, unit) == (pytest.approx(np.sqrt((1 + 4 + 16 + 2500 + 9) / 6)), "kcal/mol")
    assert rows[0, "a", "energy_mae"][0] == pytest.approx(60 / 6)


def test_high_conformers_are_left_out_of_conformer_energies(rows) -> None:
    # m0: 1, 2, 4 stay, pairs 1, 2, 3; m1: both stay, pair 3
    assert rows[0, "a", "conformer_energy_mae"][0] == pytest.approx((1 + 2 + 3 + 3) / 4)
    assert rows[0, "a", "conformer_energy_rmse"] == (
        pytest.approx(np.sqrt((1 + 4 + 9 + 9) / 4)),
        "kcal/mol",
    )


def test_all_subsets_together(rows) -> None:
    assert rows[0, "all", "conformer_energy_mae"][0] == pytest.approx((1 + 2 + 3 + 3 + 2) / 5)
    assert rows[0, "all", "energy_mae"][0] == pytest.approx(62 / 8)


def test_forces_where_there_are_any(rows) -> None:
    assert rows[0, "a", "forces_rmse"] == (pytest.approx(0.5, rel=1e-5), "kcal/mol/Å")
    assert (0, "b", "forces_rmse") not in rows
    assert rows[0, "all", "forces_mae"][0] == pytest.approx(0.5, rel=1e-5)


def test_the_ensemble_is_asked_too(rows) -> None:
    assert rows["ensemble", "all", "energy_rmse"] == pytest.approx(rows[0, "all", "energy_rmse"])


def test_unknown_elements_are_refused(subsets, ensemble_of) -> None:
    ensemble = ensemble_of(member)
    ensemble.species = [1, 6]
    with pytest.raises(InputError, match=r"a.h5.*m0: configuration 0: .* got 8; leave a out"):
        evaluate_comp6(subsets, 100.0, [ensemble])


def test_a_faulty_file_is_refused(tmp_path) -> None:
    write_suite(tmp_path / "nan.h5", {"m0": [0.0, np.nan]}, forces=False)
    with pytest.raises(InputError, match=r"nan.h5"):
        read_subset("nan", comp6(tmp_path / "nan.h5"))


def test_several_files_make_one_subset(tmp_path, subsets) -> None:
    write_suite(tmp_path / "c.h5", {"m0": [3.0, 4.0]}, forces=True, first=5)
    both = read_subset("both", comp6(tmp_path / "a.h5", tmp_path / "c.h5"))
    assert len(both) == len(subsets["a"]) + 2
    assert len(np.unique(both.groups)) == 3


def test_extended_xyz_is_the_same_subset(tmp_path, subsets, rows, ensemble_of) -> None:
    """The CC-COMP6 energies may come as extended XYZ, molecules named in ``info``."""
    a = subsets["a"]
    frames = []
    for index in range(len(a)):
        atoms = slice(a.offsets[index], a.offsets[index + 1])
        frames.append(Atoms(a.species[atoms], a.positions[atoms]))
        frames[-1].info = {
            "cc_energy": a.labels["reference"]["energy"][index] / KCAL,
            "molecule": f"m{a.groups[index]}",
        }
    ase.io.write(tmp_path / "a.xyz", frames, format="extxyz")
    source = AseFile(
        reader="ase",
        files=[str(tmp_path / "a.xyz")],
        energy_key="cc_energy",
        energy_unit="kcal/mol",
        forces_key=None,
        group_key="molecule",
    )
    read = {"a": read_subset("a", source)}
    found = evaluate_comp6(read, 100.0, [ensemble_of(member)])
    assert {(row.subset, row.metric) for row in found} == {
        (subset, f"{subject}_{error}")
        for subset in ("a", "all")
        for subject in ("energy", "conformer_energy")
        for error in ("rmse", "mae")
    }
    for row in found:
        if row.metric.startswith("a/"):
            assert row.value == pytest.approx(rows[0, row.metric][0], rel=1e-6)


def test_conformers_of_different_formulas_are_refused(tmp_path, ensemble_of) -> None:
    frames = [Atoms("OH2", [[0, 0, 0], [0.96, 0, 0], [0, 0.96, 0]]), Atoms("OH", [[0, 0, 0]] * 2)]
    frames[1].positions[1, 0] = 0.97
    for frame in frames:
        frame.info["energy"] = -1.0
    ase.io.write(tmp_path / "mixed.xyz", frames, format="extxyz")
    source = AseFile(reader="ase", files=[str(tmp_path / "mixed.xyz")], forces_key=None)
    with pytest.raises(InputError, match=r"conformers of one molecule, got .*\[1, 8\] beside"):
        evaluate_comp6({"mixed": read_subset("mixed", source)}, 100.0, [ensemble_of(member)])


def test_the_name_of_all_subsets_is_taken(subsets, ensemble_of) -> None:
    with pytest.raises(InputError, match="expected names other than 'all'"):
        evaluate_comp6({"all": subsets["a"]}, 100.0, [ensemble_of(member)])


def failing(dataset):
    """A calculator that fails on the second and the last conformer of a file."""
    found = member(dataset)
    size = len(dataset.species) // len(dataset)
    for conformer in (1, len(dataset) - 1):
        found["energy"][conformer] = np.nan
        found["forces"][conformer * size : (conformer + 1) * size] = np.nan
    return found


def test_failures_of_a_calculator_are_left_out_and_counted(subsets, calculator_of) -> None:
    oracle = calculator_of(failing)
    found = {
        (row.subset, row.metric): row.value
        for row in evaluate_comp6({"a": subsets["a"]}, 100.0, [oracle])
    }
    assert found["a", "energy_mae"] == pytest.approx((1 + 4 + 50 + 0) / 4)
    # of m0 stay the errors 1 and 4, the fourth is too high; of m1 one conformer, no pair
    assert found["a", "conformer_energy_mae"] == pytest.approx(3)
    assert found["a", "forces_rmse"] == pytest.approx(0.5, rel=1e-5)
    assert oracle.notes() == [
        "oracle/calculator: 2 of 6 configurations are left out, where the calculator failed: "
        "2 × no reason"
    ]


def test_a_calculator_that_fails_on_all_of_a_file(subsets, calculator_of) -> None:
    nothing = {"energy": np.full(2, np.nan), "forces": np.full((6, 3), np.nan)}
    oracle = calculator_of(lambda dataset: nothing)
    assert evaluate_comp6({"b": subsets["b"]}, 100.0, [oracle]) == []
    with pytest.raises(InputError, match="failed on 2 of them"):
        oracle.notes()


def test_a_trained_member_may_not_fail(subsets, ensemble_of) -> None:
    with pytest.raises(InputError, match=r"teachers/m seed 1: expected finite predictions"):
        evaluate_comp6(subsets, 100.0, [ensemble_of(member, failing)])


def test_a_path_a_list_of_paths_or_a_source() -> None:
    suites = Comp6Evaluation.model_validate(
        {
            "suites": {
                "one": "a.h5",
                "several": ["a.h5", "b.hdf5"],
                "other": {"reader": "ase", "files": ["c.xyz"], "forces_key": None},
            }
        }
    ).suites
    assert suites["one"] == Comp6(reader="comp6", files=["a.h5"])
    assert suites["several"] == Comp6(reader="comp6", files=["a.h5", "b.hdf5"])
    assert suites["other"] == AseFile(reader="ase", files=["c.xyz"], forces_key=None)
    again = Comp6Evaluation.model_validate(Comp6Evaluation(suites=suites).model_dump(mode="json"))
    assert again.suites == suites


@pytest.mark.parametrize("suite", ["a.xyz", ["a.h5", "b.xyz"]])
def test_another_format_needs_a_source(suite) -> None:
    with pytest.raises(ValidationError, match="give a section with reader: ase"):
        Comp6Evaluation.model_validate({"suites": {"one": suite}})


def test_a_suite_is_not_computed() -> None:
    emt = {"type": "ase.calculators.emt:EMT"}
    suite = {"reader": "ase", "files": ["c.xyz"], "calculator": emt}
    with pytest.raises(ValidationError, match="labels in their files, got a calculator of one,"):
        Comp6Evaluation.model_validate({"suites": {"one": suite, "other": "a.h5"}})
