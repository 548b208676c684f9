"""Extended XYZ as codes and people write it: names of labels, stresses, single atoms."""

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.db import connect

from mlipkd.cli.data import section_of
from mlipkd.config.load import ConfigError, parse_section
from mlipkd.errors import InputError
from mlipkd.readers.ase_file import AseFile
from mlipkd.readers.guess import guess_source


@pytest.fixture(scope="module")
def crystal() -> Atoms:
    """Strained copper with energy, forces and stress of EMT."""
    atoms = bulk("Cu", cubic=True)
    atoms.rattle(0.1, seed=1)
    atoms.set_cell(atoms.cell @ [[1.02, 0.01, 0], [0, 0.99, 0.02], [0, 0, 1.03]])
    atoms.calc = EMT()
    stress = atoms.get_stress()
    calculator = SinglePointCalculator(
        atoms, energy=atoms.get_potential_energy(), forces=atoms.get_forces(), stress=stress
    )
    atoms.calc = calculator
    return atoms


def bare(atoms: Atoms) -> Atoms:
    copy = atoms.copy()
    copy.calc = None
    return copy


def read(path, **keys):
    source = {**guess_source(path), **keys, "files": [str(path)]}
    return parse_section(AseFile, source, "test").read("data")


@pytest.mark.parametrize("prefix", ["REF_", "dft_", "DFT_", "my-"])
def test_labels_under_other_names_are_found(tmp_path, crystal, prefix) -> None:
    atoms = bare(crystal)
    atoms.info[f"{prefix}energy"] = -3.5
    atoms.arrays[f"{prefix}forces"] = crystal.get_forces()
    atoms.info["config_type"] = "energy of a crystal"  # no number
    ase.io.write(tmp_path / "a.xyz", atoms, format="extxyz")
    assert guess_source(tmp_path / "a.xyz") == {
        "reader": "ase",
        "energy_key": f"{prefix}energy",
        "forces_key": f"{prefix}forces",
    }
    reference = read(tmp_path / "a.xyz").labels["reference"]
    assert reference["energy"].tolist() == [-3.5]
    np.testing.assert_allclose(reference["forces"], crystal.get_forces(), atol=1e-7)


def test_names_of_one_kind_go_together(tmp_path, crystal) -> None:
    """Labels of the calculator come first; without its energy, those that belong together."""
    atoms = bare(crystal)
    atoms.info.update(mace_energy=1.0, dft_energy=2.0)
    atoms.arrays.update(mace_forces=np.ones((4, 3)), dft_forces=np.zeros((4, 3)))
    ase.io.write(tmp_path / "a.xyz", atoms, format="extxyz")
    keys = guess_source(tmp_path / "a.xyz")
    assert (keys["energy_key"], keys["forces_key"]) == ("dft_energy", "dft_forces")


@pytest.mark.parametrize(
    "other", ["kinetic_energy", "energy_sigma", "energy_per_atom", "energy_weight", "err_energy"]
)
def test_numbers_that_are_no_labels_are_passed_over(tmp_path, crystal, other) -> None:
    atoms = bare(crystal)
    atoms.info.update({"pbe_energy": -3.5, other: 0.1})
    ase.io.write(tmp_path / "a.xyz", atoms, format="extxyz")
    assert guess_source(tmp_path / "a.xyz")["energy_key"] == "pbe_energy"


def test_of_names_that_nothing_tells_apart_the_user_names_one(tmp_path, crystal) -> None:
    atoms = bare(crystal)
    atoms.info.update(potential_energy=1.0, total_energy=2.0)
    ase.io.write(tmp_path / "a.xyz", atoms, format="extxyz")
    with pytest.raises(InputError, match=r"potential_energy, total_energy; say .* --energy-key"):
        guess_source(tmp_path / "a.xyz")
    named = guess_source(tmp_path / "a.xyz", {"energy_key": "total_energy"})
    assert named["energy_key"] == "total_energy"


def test_forces_that_the_first_configuration_lacks_are_not_passed_over(tmp_path, crystal) -> None:
    frames = []
    for index in range(3):
        atoms = bare(crystal)
        atoms.info["REF_energy"] = 1.0
        if index:
            atoms.arrays["REF_forces"] = crystal.get_forces()
        frames.append(atoms)
    ase.io.write(tmp_path / "a.xyz", frames, format="extxyz")
    assert guess_source(tmp_path / "a.xyz")["forces_key"] == "REF_forces"
    with pytest.raises(InputError, match=r"configuration 0: .* to its name or to none, or leave"):
        read(tmp_path / "a.xyz")


def test_a_free_energy_alone_is_taken(tmp_path, crystal) -> None:
    atoms = bare(crystal)
    forces = crystal.get_forces()
    atoms.calc = SinglePointCalculator(atoms, free_energy=-1.5, forces=forces)
    ase.io.write(tmp_path / "a.xyz", atoms, format="extxyz")
    dataset = read(tmp_path / "a.xyz")
    assert dataset.labels["reference"]["energy"].tolist() == [-1.5]
    np.testing.assert_allclose(dataset.labels["reference"]["forces"], forces, atol=1e-7)


def test_energies_alone_have_no_forces(tmp_path, crystal) -> None:
    atoms = bare(crystal)
    atoms.info["u0_energy"] = -1.0
    ase.io.write(tmp_path / "a.xyz", atoms, format="extxyz")
    assert list(read(tmp_path / "a.xyz").labels["reference"]) == ["energy"]


def test_a_database_of_ase_is_read(tmp_path, crystal) -> None:
    with connect(tmp_path / "a.db") as database:
        database.write(crystal)
    reference = read(tmp_path / "a.db").labels["reference"]
    np.testing.assert_allclose(reference["stress"][0], crystal.get_stress(voigt=False))


@pytest.mark.parametrize("place", ["key_value_pairs", "data"])
def test_labels_beside_the_atoms_of_a_database_are_read(tmp_path, crystal, place) -> None:
    """As SchNetPack keeps them, energies as arrays of one number."""
    atoms, forces = bare(crystal), crystal.get_forces()
    with connect(tmp_path / "a.db") as database:
        if place == "data":
            database.write(atoms, data={"energy": np.array([-1.5]), "forces": forces})
        else:
            database.write(atoms, key_value_pairs={"energy_U0": -1.5}, data={"forces": forces})
    reference = read(tmp_path / "a.db").labels["reference"]
    assert reference["energy"].tolist() == [-1.5]
    np.testing.assert_allclose(reference["forces"], forces)


def test_an_at_sign_belongs_to_the_name_of_a_file(tmp_path, crystal) -> None:
    ase.io.write(tmp_path / "a.xyz", [crystal] * 4, format="extxyz")
    (tmp_path / "a.xyz").rename(tmp_path / "me@3.xyz")
    assert len(read(tmp_path / "me@3.xyz")) == 4


@pytest.mark.parametrize("option", ["forces_key", "stress_key"])
def test_none_reads_none(tmp_path, crystal, option) -> None:
    ase.io.write(tmp_path / "a.xyz", crystal, format="extxyz")
    section = section_of(tmp_path / "a.xyz", {option: "none"})
    label = option.removesuffix("_key")
    assert getattr(section, option) is None
    assert label not in section.read("data").labels["reference"]


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("REF_stress", lambda stress, volume: stress),
        ("REF_virial", lambda stress, volume: -stress * volume),
        ("virials", lambda stress, volume: -stress * volume),
    ],
)
@pytest.mark.parametrize("voigt", [True, False])
def test_stress_and_virial_are_the_stress_under_tension(
    tmp_path, crystal, name, made, voigt
) -> None:
    """The derivative of the energy by a strain over the volume, by finite differences."""
    atoms = bare(crystal)
    atoms.info["energy"] = crystal.get_potential_energy()
    atoms.info[name] = made(crystal.get_stress(voigt=voigt), crystal.get_volume())
    ase.io.write(tmp_path / "a.xyz", atoms, format="extxyz")
    dataset = read(tmp_path / "a.xyz")
    strained = []
    for size in (1e-4, -1e-4):
        other = bare(crystal)
        strain = np.eye(3)
        strain[0, 1] += size
        other.set_cell(other.cell @ strain, scale_atoms=True)
        other.calc = EMT()
        strained.append(other.get_potential_energy())
    slope = (strained[0] - strained[1]) / 2e-4 / crystal.get_volume()
    stress = dataset.labels["reference"]["stress"]
    assert stress[0, 0, 1] == pytest.approx(slope, rel=1e-4)
    np.testing.assert_allclose(stress[0], crystal.get_stress(voigt=False), atol=1e-6)


def test_units_of_stress_follow_from_those_of_energy_and_length(tmp_path, crystal) -> None:
    ase.io.write(tmp_path / "a.xyz", crystal, format="extxyz")
    one = read(tmp_path / "a.xyz", stress_key="stress")
    other = read(tmp_path / "a.xyz", stress_key="stress", energy_unit="meV", length_unit="nm")
    ratio = other.labels["reference"]["stress"] / one.labels["reference"]["stress"]
    np.testing.assert_allclose(ratio, 1e-6)


def test_stress_and_virial_together_are_refused() -> None:
    keys = {"reader": "ase", "files": ["a"], "stress_key": "stress", "virial_key": "virial"}
    with pytest.raises(ConfigError, match="which say the same, got both"):
        parse_section(AseFile, keys, "test")


@pytest.mark.parametrize("value", ["high", [1.0, 2.0]])
def test_a_stress_of_another_shape_is_refused(tmp_path, crystal, value) -> None:
    atoms = bare(crystal)
    atoms.info.update(energy=1.0, odd=value)
    ase.io.write(tmp_path / "a.xyz", atoms, format="extxyz")
    with pytest.raises(InputError, match="configuration 0: expected 6 numbers or 3 × 3 as 'odd'"):
        read(tmp_path / "a.xyz", stress_key="odd")


def test_atoms_alone_are_kept_and_feel_no_force(tmp_path, crystal) -> None:
    """With an energy and nothing else, as isolated atoms stand in files for training."""
    single = Atoms("Cu", cell=[12, 12, 12], pbc=True, info={"config_type": "IsolatedAtom"})
    free = Atoms("Cu")
    for atoms in (single, free):
        atoms.calc = SinglePointCalculator(atoms, energy=-0.25)
    ase.io.write(tmp_path / "a.xyz", [single, free, crystal], format="extxyz")
    dataset = read(tmp_path / "a.xyz")
    assert dataset.sizes.tolist() == [1, 1, 4]
    reference = dataset.labels["reference"]
    assert reference["energy"][:2].tolist() == [-0.25, -0.25]
    assert not reference["forces"][:2].any()
    assert np.isnan(reference["stress"][:2]).all()
    assert np.isfinite(reference["stress"][2]).all()
    assert dataset.masked == {"stress"}


def test_a_crystal_without_its_stress_is_named(tmp_path, crystal) -> None:
    other = bare(crystal)
    other.calc = SinglePointCalculator(other, energy=1.0, forces=np.zeros((4, 3)))
    ase.io.write(tmp_path / "a.xyz", [crystal, other], format="extxyz")
    with pytest.raises(InputError, match=r"configuration 1: expected 'stress', found .*stress_key"):
        read(tmp_path / "a.xyz")
