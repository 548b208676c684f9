"""Given configurations with the labels of a calculator, whatever their file says."""

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.units import Bohr

from mlipkd.calculators.labelling import differences
from mlipkd.checks.check import check
from mlipkd.config.load import ConfigError, parse_section
from mlipkd.datasets.normal_modes import hessian_matrix
from mlipkd.errors import InputError
from mlipkd.readers.ase_file import AseFile

EMT_CLASS = {"type": "ase.calculators.emt:EMT"}


@pytest.fixture
def file(tmp_path):
    """A function that writes configurations with labels that are not EMT's."""

    def write(*configurations: Atoms) -> str:
        labelled = []
        for atoms in configurations:
            labelled.append(atoms.copy())
            wrong = {"energy": 7.0, "forces": np.ones((len(atoms), 3))}
            labelled[-1].calc = SinglePointCalculator(labelled[-1], **wrong)
        ase.io.write(tmp_path / "a.xyz", labelled, format="extxyz")
        return str(tmp_path / "a.xyz")

    return write


def read(path: str, **keys):
    section = {"reader": "ase", "files": [path], "calculator": EMT_CLASS, **keys}
    return parse_section(AseFile, section, "test").read("oracle")


def rattled(atoms: Atoms, seed: int = 0) -> Atoms:
    atoms.rattle(0.05, seed=seed)
    return atoms


def test_labels_are_the_calculators(file) -> None:
    crystal, ethanol = rattled(bulk("Cu", cubic=True)), rattled(molecule("CH3CH2OH"))
    dataset = read(file(crystal, ethanol))
    assert dataset.labels["reference"].keys() == {"energy", "forces"}
    for m, atoms in enumerate((crystal, ethanol)):
        atoms.calc, rows = EMT(), slice(*dataset.offsets[m : m + 2])
        assert dataset.labels["reference"]["energy"][m] == pytest.approx(
            atoms.get_potential_energy()
        )
        np.testing.assert_allclose(
            dataset.labels["reference"]["forces"][rows], atoms.get_forces(), atol=1e-6
        )
    assert dataset.provenance["packages"]["ase"]
    assert (dataset.masked, dataset.provenance["notes"]) == (frozenset(), [])


def test_hessians_are_the_calculators(file) -> None:
    water = rattled(molecule("H2O"))
    dataset = read(file(water), hessian=True)
    water.calc = EMT()
    np.testing.assert_allclose(
        hessian_matrix(dataset.labels["reference"]["hessian"]), differences(water), atol=1e-4
    )
    assert check(dataset).faults == []


def test_positions_are_in_the_unit_of_the_file(file) -> None:
    water = molecule("H2O")
    shrunk = water.copy()
    shrunk.positions /= Bohr
    dataset = read(file(shrunk), length_unit="bohr")
    water.calc = EMT()
    assert dataset.labels["reference"]["energy"] == pytest.approx(water.get_potential_energy())


def test_a_failure_costs_its_configuration_the_labels_and_is_said(file) -> None:
    ethanol, xenon = molecule("CH3CH2OH"), Atoms("Xe2", [[0, 0, 0], [0, 0, 4]])
    dataset = read(file(ethanol, xenon, ethanol), hessian=True)
    assert np.isnan(dataset.labels["reference"]["energy"]).tolist() == [False, True, False]
    assert np.isnan(dataset.labels["reference"]["hessian"]).all((1, 2)).sum() == 4
    assert dataset.masked == {"energy", "forces", "hessian"}
    (note,) = dataset.provenance["notes"]
    assert note.startswith("no labels for 1 of 3 configurations") and "Xe" in note
    assert check(dataset).faults == []
    with pytest.raises(InputError, match=r"^oracle: .* failed on 2 of them, on the first .*Xe"):
        read(file(ethanol, xenon, xenon))


def test_what_has_no_hessian_is_refused(file) -> None:
    with pytest.raises(
        InputError,
        match="configuration 0: expected free molecules for Hessians, got 1 configurations with",
    ):
        read(file(bulk("Cu")), hessian=True)
    of_energies = {"type": f"{__name__}:EnergyAlone"}
    message = (
        "EnergyAlone: expected a calculator with forces for Hessians, got one that gives energy;"
    )
    with pytest.raises(InputError, match=message):
        read(file(molecule("H2O")), calculator=of_energies, hessian=True)
    dataset = read(file(molecule("H2O")), calculator=of_energies)
    assert dataset.labels["reference"].keys() == {"energy"}


class EnergyAlone(EMT):
    """A method without forces."""

    implemented_properties = ["energy"]  # noqa: RUF012


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"energy_key": "REF_energy"}, "expected no energy_key with a calculator"),
        ({"forces_key": None, "force_sign": -1}, "expected no forces_key, force_sign with"),
        ({"stress_key": "stress"}, "expected no stress_key with"),
        ({"calculator": None, "hessian": True}, "expected a calculator with hessian"),
    ],
)
def test_labels_are_the_files_or_the_calculators(keys, message) -> None:
    with pytest.raises(ConfigError, match=message):
        read("a.xyz", **keys)


def test_settings_are_read_as_they_are_written() -> None:
    source = AseFile(reader="ase", files=["a.xyz"], calculator=EMT_CLASS, hessian=True)
    assert AseFile(**source.model_dump(mode="json")) == source
    assert source.has_hessians
    assert not AseFile(reader="ase", files=["a.xyz"], calculator=EMT_CLASS).has_hessians
