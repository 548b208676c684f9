"""From a calculator to a student's labels, and to rows: whatever fails is left out and said."""

import json
from dataclasses import replace

import ase.io
import h5py
import numpy as np
import pytest
import torch
from ase.build import molecule

from mlipkd.checks.positions_and_labels import bad_labels
from mlipkd.config.functions import Calculator
from mlipkd.datasets import file as dataset_file
from mlipkd.datasets.dataset import TEST
from mlipkd.distillation.merge import merge
from mlipkd.distillation.predict import label
from mlipkd.distillation.predictions import PredictionsFile
from mlipkd.errors import InputError
from mlipkd.evaluation.core.ensembles import load_ensembles, notes_of
from mlipkd.evaluation.core.rows import history_file, write_rows
from mlipkd.evaluation.errors import evaluate_errors
from mlipkd.jobs import artefacts
from mlipkd.readers.ase_file import AseFile
from mlipkd.readers.molecules_xtb import MoleculesXTB

XTB = {"method": "GFN2-xTB", "verbosity": 0}
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def water():
    """Water with the labels of GFN2-xTB, half of it in the test split."""
    source = MoleculesXTB(reader="molecules-xtb", molecules=("H2O",), configurations=8)
    dataset = source.read("test")
    dataset.splits[1::2] = TEST
    return dataset


@pytest.fixture
def xtb(write_calculator):
    return write_calculator("tblite.ase:TBLite", XTB)


def written(dataset, folder):
    dataset_file.write(dataset, folder / "dataset.h5")
    return folder / "dataset.h5"


def spoilt(dataset, *configurations):
    """The same with all atoms of some configurations in one place, which xTB refuses."""
    positions = dataset.positions.copy()
    for m in configurations:
        positions[dataset.offsets[m] : dataset.offsets[m + 1]] = 0.0
    return replace(dataset, positions=positions)


def rows_of(settings, path):
    ensembles, _ = load_ensembles([settings], CPU)
    with dataset_file.DatasetFile(path) as file:
        rows = evaluate_errors(file, ensembles)
    return {row.metric: row.value for row in rows}, notes_of(ensembles)


def test_a_method_has_no_errors_of_its_own_labels(water, xtb, tmp_path) -> None:
    errors, notes = rows_of(xtb, written(water, tmp_path))
    assert errors["forces_rmse"] < 1e-4  # eV/Å: the labels were made along a trajectory
    assert errors["energy_rmse"] < 1e-5
    assert notes == []


def test_nor_of_its_own_hessians(write_calculator, tmp_path) -> None:
    ase.io.write(tmp_path / "water.xyz", molecule("H2O"))
    emt = Calculator(type="ase.calculators.emt:EMT")
    files = [str(tmp_path / "water.xyz")]
    source = AseFile(reader="ase", files=files, calculator=emt, hessian=True)
    dataset = source.read("test")
    dataset.splits[:] = TEST
    errors, _ = rows_of(write_calculator(), written(dataset, tmp_path))
    assert np.abs(dataset.labels["reference"]["hessian"]).max() > 1
    assert errors["hessian_rmse"] < 1e-6


def test_forces_beside_a_hessian_are_those_of_the_configuration(tmp_path) -> None:
    """EMT writes the forces of displaced geometries into one array."""
    ase.io.write(tmp_path / "water.xyz", molecule("H2O"))
    emt = Calculator(type="ase.calculators.emt:EMT")
    files = [str(tmp_path / "water.xyz")]
    alone, beside_hessian = (
        AseFile(reader="ase", files=files, calculator=emt, hessian=hessian).read("test")
        for hessian in (False, True)
    )
    np.testing.assert_array_equal(
        beside_hessian.labels["reference"]["forces"], alone.labels["reference"]["forces"]
    )


def test_failures_are_recorded_and_nan(water, xtb, tmp_path, capsys) -> None:
    path = written(spoilt(water, 2, 5), tmp_path)
    label(xtb, path, tmp_path / "predictions.h5", CPU)
    assert "no labels for 2 of 8 configurations" in capsys.readouterr().err
    with PredictionsFile(tmp_path / "predictions.h5") as predictions:
        assert predictions.quantities == ["energy", "forces", "atomic_energies"]
        assert sorted(predictions.failed) == [2, 5]
        assert all(predictions.failed.values())

    merge(path, [tmp_path / "predictions.h5"], tmp_path / "a.h5", tmp_path / "m.json")
    augmented = dataset_file.read(tmp_path / "a.h5")
    teacher = augmented.labels["teacher"]
    assert np.flatnonzero(np.isnan(teacher["energy"])).tolist() == [2, 5]
    assert np.flatnonzero(np.isnan(teacher["forces"]).all(1)).tolist() == [6, 7, 8, 15, 16, 17]
    good = np.isfinite(teacher["energy"])
    np.testing.assert_allclose(
        teacher["energy"][good], water.labels["reference"]["energy"][good], atol=1e-5
    )
    (member,) = json.loads((tmp_path / "m.json").read_text())["members"]
    assert member["kept"]
    assert (member["failed"], sum(member["failed_because"].values())) == (2, 2)
    assert bad_labels(augmented) == []
    assert len(bad_labels(replace(augmented, provenance={}))) == 6  # of three quantities, twice


def test_missing_labels_that_no_failure_explains_are_refused(water, xtb, tmp_path) -> None:
    path = written(water, tmp_path)
    label(xtb, path, tmp_path / "predictions.h5", CPU)
    with artefacts.writing(tmp_path / "nan.h5") as temporary:
        temporary.write_bytes((tmp_path / "predictions.h5").read_bytes())
        with h5py.File(temporary, "r+") as file:
            file["forces"][4] = np.nan
    with pytest.raises(InputError, match="forces of configuration 1 is not finite"):
        merge(path, [tmp_path / "nan.h5"], tmp_path / "a.h5", tmp_path / "m.json")


def test_failures_are_left_out_of_the_errors_and_said(water, xtb, tmp_path, capsys) -> None:
    errors, notes = rows_of(xtb, written(spoilt(water, 3), tmp_path))
    assert errors["forces_rmse"] < 1e-4
    (note,) = notes
    assert note.startswith("oracle/calculator: 1 of 4 configurations are left out")
    write_rows(tmp_path / "errors.csv", [], [], notes)
    assert json.loads(history_file(tmp_path / "errors.csv").read_text())["notes"] == notes
    assert note in capsys.readouterr().err


def test_a_calculator_that_fails_on_most_is_refused(water, xtb, tmp_path) -> None:
    path = written(spoilt(water, 0, 1, 3, 5, 7), tmp_path)
    with pytest.raises(InputError, match="failed on 5 of them, on the first for this reason: "):
        label(xtb, path, tmp_path / "predictions.h5", CPU)
    assert not (tmp_path / "predictions.h5").exists()
    with pytest.raises(InputError, match=r"oracle/calculator: .* failed on 4 of them"):
        rows_of(xtb, path)


def test_quantities_that_are_not_given_are_absent(water, write_calculator, tmp_path) -> None:
    """Harmonic atoms have energy and forces alone."""
    path = written(water, tmp_path)
    springs = write_calculator("ase.calculators.harmonic:SpringCalculator", {
        "ideal_positions": [[0, 0, 0]] * 3, "k": 2.0
    })  # fmt: skip
    label(springs, path, tmp_path / "predictions.h5", CPU)
    with PredictionsFile(tmp_path / "predictions.h5") as predictions:
        assert predictions.quantities == ["energy", "forces"]
        forces = predictions.read("forces", slice(None))
    np.testing.assert_allclose(forces, -2.0 * water.positions, atol=1e-12)


def test_a_calculator_stands_beside_models_but_not_twice(xtb, write_model) -> None:
    ensembles, sources = load_ensembles([write_model("m.safetensors"), xtb], CPU)
    assert [ensemble.family for ensemble in ensembles] == ["teachers", "oracle"]
    assert [source.file for source in sources][1] == str(xtb)
    with pytest.raises(InputError, match="seed 0 of oracle/calculator twice"):
        load_ensembles([xtb, xtb], CPU)
