"""The ASE calculator: stresses of whatever has a volume, threads, and what it refuses."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, molecule
from ase.calculators.calculator import PropertyNotImplementedError
from ase.calculators.emt import EMT
from ase.calculators.fd import calculate_numerical_stress
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS

from mlipkd.deploy.ase import MLIPKD
from mlipkd.errors import InputError
from mlipkd.hipnn.file import Potential, load_potential, save_potential


@pytest.fixture
def model_file(write_model):
    """A model in double precision, its energies scaled up so that stresses are not tiny."""
    path = write_model("model.safetensors", species=(1, 8, 13))
    potential = load_potential(path)
    potential.model.w *= 1e3
    save_potential(Potential(potential.model.double(), potential.metadata), path)
    return path


def slab() -> Atoms:
    atoms = fcc111("Al", (2, 2, 3), vacuum=6)
    atoms.rattle(0.05, seed=0)
    return atoms


@pytest.mark.parametrize("pbc", [(1, 1, 1), (1, 1, 0), (1, 0, 0), (0, 0, 0)])
def test_the_stress_is_that_of_the_cell(model_file, pbc) -> None:
    """As ASE's own calculators have it: with the volume of the cell, vacuum and all."""
    atoms = slab()
    atoms.pbc = pbc
    atoms.calc = MLIPKD(model_file)
    stress = atoms.get_stress()
    assert np.abs(stress).max() > 1e-3
    expected = calculate_numerical_stress(atoms, eps=1e-5)
    np.testing.assert_allclose(stress, expected, atol=1e-7)
    atoms.calc = EMT()
    assert atoms.get_stress().shape == stress.shape


def test_the_cell_of_a_slab_relaxes_in_its_plane(model_file) -> None:
    atoms = slab()
    atoms.calc = MLIPKD(model_file)
    height, energy = atoms.cell[2].copy(), atoms.get_potential_energy()
    BFGS(FrechetCellFilter(atoms, mask=[1, 1, 0, 0, 0, 1]), logfile=None).run(steps=3)
    np.testing.assert_allclose(atoms.cell[2], height, atol=1e-12)
    assert atoms.get_potential_energy() < energy


@pytest.mark.parametrize("atoms", [molecule("H2O"), fcc111("Al", (2, 2, 3))])
@pytest.mark.parametrize("energy_first", [True, False])
def test_no_stress_without_a_volume(model_file, atoms, energy_first) -> None:
    """ASE's own programs catch its kind of error and go on."""
    atoms = atoms.copy()
    atoms.calc = MLIPKD(model_file)
    if energy_first:
        atoms.get_potential_energy()
    with pytest.raises(InputError, match=r"cell with a volume.*atoms\.center\(vacuum") as raised:
        atoms.get_stress()
    assert isinstance(raised.value, PropertyNotImplementedError)
    assert np.isfinite(atoms.get_forces()).all()


def test_threads_share_a_calculator(model_file) -> None:
    calculator = MLIPKD(model_file)
    structures = [bulk("Al", cubic=True) * (2, 2, 1) for _ in range(4)]
    for number, atoms in enumerate(structures):
        atoms.rattle(0.1, seed=number)
    structures[1] = structures[1][:-1]

    def results(calculator: MLIPKD, atoms: Atoms) -> tuple[float, np.ndarray]:
        atoms = atoms.copy()
        atoms.calc = calculator
        return atoms.get_potential_energy(), atoms.get_forces()

    expected = [results(MLIPKD(model_file), atoms) for atoms in structures]
    repeated = [number % len(structures) for number in range(400)]
    with ThreadPoolExecutor(2) as threads:
        found = threads.map(lambda number: results(calculator, structures[number]), repeated)
        for number, (energy, forces) in zip(repeated, found, strict=True):
            assert energy == pytest.approx(expected[number][0], abs=1e-9)
            np.testing.assert_allclose(forces, expected[number][1], atol=1e-9)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))])
def test_copies_and_pickles(model_file, copied) -> None:
    """Dask and the pools of multiprocessing send calculators."""
    atoms = slab()
    atoms.calc = MLIPKD(model_file)
    energy = atoms.get_potential_energy()
    other = slab()
    other.calc = copied(atoms.calc)
    assert other.get_potential_energy() == pytest.approx(energy, abs=1e-12)
    other.rattle(0.2, seed=1)
    assert other.get_potential_energy() != pytest.approx(energy, abs=1e-6)


@pytest.mark.parametrize("skin", [-1, -1e-9, np.nan, np.inf])
def test_refuses_skins_that_are_no_lengths(model_file, skin) -> None:
    with pytest.raises(InputError, match="skin: expected a length of 0 Å or more, got"):
        MLIPKD(model_file, skin=skin)


@pytest.mark.parametrize("device", ["cuda:99", "gpu"])
def test_refuses_devices_that_are_not_there(model_file, device) -> None:
    with pytest.raises(InputError, match=rf"device: expected cpu, .* got '{device}' \(.*take cpu"):
        MLIPKD(model_file, device=device)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"hard_max": 4.5}, "got hard_max 4.0 and 4.5; give"),
        ({"species": (1, 8)}, r"got elements \[1, 8, 13\] and \[1, 8\]; give"),
    ],
)
def test_says_how_members_differ(write_model, changed, message) -> None:
    species = {"species": (1, 8, 13)}
    files = [write_model("a.safetensors", **species), write_model("b", **(species | changed))]
    with pytest.raises(InputError, match=message):
        MLIPKD(files)
