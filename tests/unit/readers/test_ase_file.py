"""Files that ASE reads: labels, units, signs and groups."""

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.units import Bohr, kcal, mol

from mlipkd.errors import InputError
from mlipkd.readers.ase_file import AseFile

RNG = np.random.default_rng(0)


def test_ase_reads_calculators_results(tmp_path) -> None:
    path = tmp_path / "frames.extxyz"
    atoms = Atoms("CO", RNG.random((2, 3)), cell=[5, 6, 7], pbc=[True, True, False])
    forces = RNG.normal(size=(2, 3))
    atoms.calc = SinglePointCalculator(atoms, energy=-3.5, forces=forces)
    ase.io.write(path, [atoms, atoms])
    dataset = AseFile(reader="ase", files=[str(path)]).read("ase")
    assert np.allclose(dataset.labels["reference"]["energy"], -3.5)
    assert np.allclose(dataset.labels["reference"]["forces"][:2], forces)
    assert np.allclose(dataset.cells[1], np.diag([5, 6, 7]))
    assert dataset.periodic.tolist() == [[True, True, False]] * 2


def test_ase_keys_units_and_sign_are_the_configurations(tmp_path) -> None:
    path = tmp_path / "frames.extxyz"
    frames = []
    for index in range(3):
        atoms = Atoms("CO", [[0, 0, 0], [0, 0, 2.0]])
        atoms.info.update(dft_energy=-100.0, run=f"run{index // 2}")
        atoms.arrays["gradient"] = np.array([[0, 0, 1.0], [0, 0, -1.0]])
        frames.append(atoms)
    ase.io.write(path, frames)
    source = AseFile(
        reader="ase",
        files=[str(path)],
        energy_key="dft_energy",
        forces_key="gradient",
        energy_unit="kcal/mol",
        length_unit="bohr",
        force_sign=-1,
        group_key="run",
    )
    dataset = source.read("ase")
    assert np.allclose(dataset.labels["reference"]["energy"], -100 * kcal / mol)
    assert np.allclose(dataset.positions[1], [0, 0, 2 * Bohr])
    assert np.allclose(dataset.labels["reference"]["forces"][0], [0, 0, -kcal / mol / Bohr])
    assert dataset.groups.tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"energy_key": "E"}, "configuration 0: expected 'E', found .*energy; set energy_key"),
        ({"forces_key": "F"}, "configuration 0: expected 'F', found .*forces.*set forces_key"),
        ({"group_key": "run"}, "configuration 0: expected 'run', found .*set group_key"),
    ],
)
def test_ase_missing_keys_are_named(tmp_path, keys, message) -> None:
    path = tmp_path / "frames.extxyz"
    atoms = Atoms("CO", [[0, 0, 0], [0, 0, 1]])
    atoms.calc = SinglePointCalculator(atoms, energy=1.0, forces=np.zeros((2, 3)))
    ase.io.write(path, atoms)
    with pytest.raises(InputError, match=message):
        AseFile(reader="ase", files=[str(path)], **keys).read("ase")
