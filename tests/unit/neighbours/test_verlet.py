"""Verlet lists: the same energies as new lists, made anew only when an atom has moved far."""

import numpy as np
import pytest
from ase.build import bulk
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from ase.md.verlet import VelocityVerlet
from ase.units import fs

from mlipkd.config.model import Architecture
from mlipkd.deploy.ase import MLIPKD
from mlipkd.errors import InputError
from mlipkd.hipnn.file import Potential, save_potential
from mlipkd.hipnn.initial import initialise
from mlipkd.hipnn.network import HIPNN
from tests.models import CPU_ENGINES


@pytest.fixture
def model_file(tmp_path):
    shape = Architecture(
        n_interactions=1,
        l_max=1,
        atom_layers=1,
        width=6,
        sensitivities=6,
        soft_min=1.8,
        soft_max=4.5,
        hard_max=5.0,
    )
    model = HIPNN(shape, (13, 29)).double()
    initialise(model, 0)
    path = tmp_path / "model.safetensors"
    save_potential(
        Potential(model, {"architecture": shape.model_dump(), "species": [13, 29]}), path
    )
    return path


@pytest.fixture
def crystal():
    atoms = bulk("Al", cubic=True) * (2, 2, 2)
    atoms.numbers[::5] = 29
    atoms.rattle(0.05, seed=0)
    return atoms


def test_a_trajectory_is_that_of_new_lists(model_file, crystal) -> None:
    trajectories, made = [], []
    for skin in (0.0, 0.5):
        atoms = crystal.copy()
        atoms.calc = MLIPKD(model_file, skin=skin)
        MaxwellBoltzmannDistribution(atoms, temperature_K=900, rng=np.random.default_rng(0))
        VelocityVerlet(atoms, 2 * fs).run(60)
        trajectories.append(atoms.get_positions())
        made.append(atoms.calc.neighbours.builds)
    np.testing.assert_allclose(trajectories[1], trajectories[0], atol=1e-9)
    assert made[0] == 61
    assert 1 < made[1] < 20


@pytest.mark.parametrize("change", ["cell", "numbers", "pbc", "positions"])
def test_another_structure_gets_its_own_list(model_file, crystal, change) -> None:
    calculator = MLIPKD(model_file, skin=0.5)
    crystal.calc = calculator
    crystal.get_potential_energy()
    if change == "cell":
        crystal.set_cell(crystal.cell * 1.2, scale_atoms=False)
    elif change == "numbers":
        crystal.numbers[0] = 13
    elif change == "pbc":
        crystal.pbc = [True, True, False]
    else:
        crystal.positions[3] += [0.3, 0, 0]
    found = crystal.get_potential_energy()
    assert calculator.neighbours.builds == 2
    crystal.calc = MLIPKD(model_file, skin=0.0)
    assert found == pytest.approx(crystal.get_potential_energy(), abs=1e-10)


@pytest.mark.parametrize("scale", [0.99, 1.01])
def test_a_strained_cell_keeps_its_list(model_file, crystal, scale) -> None:
    """Volume and shear, atoms that move besides and are put back into the cell."""
    calculator = MLIPKD(model_file, skin=1.0)
    crystal.calc = calculator
    crystal.get_potential_energy()
    generator = np.random.default_rng(0)
    for step in range(4):
        strain = scale * np.eye(3) + generator.normal(0, 0.003, (3, 3))
        crystal.set_cell(crystal.cell.array @ strain, scale_atoms=True)
        crystal.rattle(0.01, seed=step)
        crystal.positions[step] += crystal.cell[0]
        found = {
            "energy": crystal.get_potential_energy(),
            "forces": crystal.get_forces(),
            "stress": crystal.get_stress(),
        }
        new = crystal.copy()
        new.calc = MLIPKD(model_file, skin=0.0)
        assert found["energy"] == pytest.approx(new.get_potential_energy(), abs=1e-10)
        np.testing.assert_allclose(found["forces"], new.get_forces(), atol=1e-10)
        np.testing.assert_allclose(found["stress"], new.get_stress(), atol=1e-12)
    assert calculator.neighbours.builds == 1


@pytest.mark.parametrize(("scale", "times"), [(0.91, 1), (0.89, 2)])
def test_a_list_holds_as_far_as_its_skin(model_file, crystal, scale, times) -> None:
    """A reach of 5.5 Å covers a cut-off of 5 Å while the cell shrinks to 0.909 of its size."""
    calculator = MLIPKD(model_file, skin=0.5)
    crystal.calc = calculator
    crystal.get_potential_energy()
    crystal.set_cell(crystal.cell * scale, scale_atoms=True)
    found = crystal.get_potential_energy()
    assert calculator.neighbours.builds == times
    crystal.calc = MLIPKD(model_file, skin=0.0)
    assert found == pytest.approx(crystal.get_potential_energy(), abs=1e-10)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("engine", CPU_ENGINES)
def test_an_atom_that_is_nowhere_is_refused(
    model_file, crystal, engine, value, monkeypatch
) -> None:
    """By a new list and by one that is kept."""
    monkeypatch.setenv("MLIPKD_ENGINE", engine)
    broken = crystal.copy()
    broken.positions[3, 1] = value
    for atoms in (crystal, broken):
        atoms.calc = MLIPKD(model_file, skin=0.5)
    crystal.get_potential_energy()
    crystal.positions[3, 1] = value
    for atoms in (crystal, broken):
        with pytest.raises(InputError, match=f"{value} *.* Å for atom 3"):
            atoms.get_potential_energy()


@pytest.mark.parametrize("distance", [0.0, 1e-12, 1e-4])
@pytest.mark.parametrize("pbc", [True, False])
@pytest.mark.parametrize("engine", CPU_ENGINES)
def test_two_atoms_at_one_place_are_refused(
    model_file, crystal, engine, pbc, distance, monkeypatch
) -> None:
    """By a new list, over periodic boundaries, and by lists that are kept."""
    monkeypatch.setenv("MLIPKD_ENGINE", engine)
    crystal.pbc = pbc
    crystal.calc = MLIPKD(model_file, skin=0.5)
    places = crystal.positions.copy()
    crystal.positions[7] = crystal.positions[2] + [distance, 0, 0]
    if pbc:
        crystal.positions[7] += crystal.cell[1]
    with pytest.raises(InputError, match=r"got atoms 2 and 7 .* at one place.*; remove one"):
        crystal.get_forces()
    crystal.positions[:] = places
    assert np.isfinite(crystal.get_forces()).all()

    middle, up = crystal.positions[2] + [0, 0, 0.1], np.array([0, 0, 1])
    crystal.positions[7] = middle + 0.1 * up
    assert np.isfinite(crystal.get_forces()).all()
    builds = crystal.calc.neighbours.builds
    crystal.positions[2], crystal.positions[7] = middle, middle + distance * up
    with pytest.raises(InputError, match=r"got atoms 2 and 7 .* at one place"):
        crystal.get_forces()
    assert crystal.calc.neighbours.builds == builds


def test_places_are_compared_only_where_atoms_can_have_met(model_file, crystal, monkeypatch):
    crystal.calc = MLIPKD(model_file, skin=0.5)
    crystal.get_forces()

    def fail(*_) -> None:
        raise AssertionError("another search")

    monkeypatch.setattr("mlipkd.neighbours.verlet._refuse_coincident", fail)
    for seed in range(3):
        crystal.rattle(0.02, seed=seed)
        crystal.get_forces()
    assert crystal.calc.neighbours.builds == 1


@pytest.mark.parametrize(
    ("cell", "pbc"),
    [
        ([8, 8, 0], True),
        ([0, 0, 0], True),
        ([8, np.nan, 8], True),
        ([8, np.inf, 8], (True, False, False)),
        ([8, 1e-3, 8], True),
        ([[8, 0, 0], [16, 0, 0], [0, 0, 8]], True),
        ([[8, 0, 0], [8, 1e-5, 0], [0, 0, 8]], (True, True, False)),
    ],
)
def test_cells_that_are_none_are_refused(model_file, crystal, cell, pbc) -> None:
    """By a new list and by one that is kept."""
    broken = crystal.copy()
    for atoms in (broken, crystal):
        atoms.calc = MLIPKD(model_file)
    crystal.get_potential_energy()
    for atoms in (broken, crystal):
        atoms.set_cell(cell)
        atoms.pbc = pbc
        with pytest.raises(InputError, match=r"expected lattice vectors of 0\.1 Å.*got the cell"):
            atoms.get_potential_energy()


def test_directions_that_are_not_periodic_need_no_lattice_vector(model_file, crystal) -> None:
    energies = []
    for height in (0, 20):
        crystal.set_cell([*crystal.cell.lengths()[:2], height])
        crystal.pbc = True, True, False
        crystal.calc = MLIPKD(model_file)
        energies.append(crystal.get_potential_energy())
    assert energies[0] == pytest.approx(energies[1], abs=1e-10)
