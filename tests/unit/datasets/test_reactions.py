"""The built-in reactions: what they hold, and that it is what it is called."""

import numpy as np
import pytest
from ase import Atoms
from ase.data import atomic_masses
from tblite.ase import TBLite

from mlipkd.config.molecules import ReactionsXTB
from mlipkd.datasets import reactions_xtb
from mlipkd.datasets.checks import check
from mlipkd.datasets.dataset import row_offsets
from mlipkd.datasets.kinds import kinds_of
from mlipkd.datasets.normal_modes import normal_modes, square, wavenumbers
from mlipkd.datasets.sources import read_source
from mlipkd.errors import InputError

SOURCE = ReactionsXTB(reader="reactions-xtb", reactions=("ammonia",), near=2, far=2)
POINTS = {"reactant": 0, "product": 5, "ts": 10}


@pytest.fixture(scope="module")
def ammonia():
    return read_source("reactions", SOURCE)


def hessian(dataset, m):
    rows = row_offsets("hessian", dataset.offsets)
    return square(dataset.labels["reference"]["hessian"][rows[m] : rows[m + 1]])


def test_kinds_are_told(ammonia) -> None:
    around = ["near", "near", "far", "far"]
    assert kinds_of(ammonia).tolist() == ["reactant", *around, "product", *around, "ts", *around]
    assert len(ammonia) == SOURCE.configurations
    assert ammonia.place(11) == "ammonia near to the ts: configuration 0 (11 of the dataset)"


@pytest.mark.parametrize(("point", "imaginary"), [("reactant", 0), ("product", 0), ("ts", 1)])
def test_stationary_points_are_of_their_kind(ammonia, point, imaginary) -> None:
    m = POINTS[point]
    atoms = slice(*ammonia.offsets[m : m + 2])
    assert np.abs(ammonia.labels["reference"]["forces"][atoms]).max() < 2e-3
    masses = atomic_masses[ammonia.species[atoms]]
    modes, _ = normal_modes(hessian(ammonia, m), ammonia.positions[atoms], masses)
    assert (wavenumbers(modes) < -100).sum() == imaginary


def test_the_inversion_of_ammonia_passes_through_a_plane(ammonia) -> None:
    saddle = ammonia.positions[40:44] - ammonia.positions[40]
    assert abs(np.linalg.det(saddle[1:])) < 0.01
    energy = ammonia.labels["reference"]["energy"]
    assert energy[0] == pytest.approx(energy[5], abs=1e-4)
    assert 0.1 < energy[10] - energy[0] < 0.5


def test_hessians_are_slopes_of_forces(ammonia) -> None:
    """Along one direction, by central differences of another step than theirs."""
    m, direction = 12, np.random.default_rng(0).normal(size=(4, 3))
    atoms = slice(*ammonia.offsets[m : m + 2])
    molecule = Atoms(ammonia.species[atoms])
    molecule.calc = TBLite(method="GFN2-xTB", verbosity=0, accuracy=0.01)
    forces = []
    for step in (5e-4, -5e-4):
        molecule.set_positions(ammonia.positions[atoms] + step * direction)
        forces.append(molecule.get_forces())
    slope = (forces[1] - forces[0]).ravel() / 1e-3
    assert hessian(ammonia, m) @ direction.ravel() == pytest.approx(slope, abs=0.02)


def test_far_samples_are_farther_up(ammonia) -> None:
    energy, kinds = ammonia.labels["reference"]["energy"], kinds_of(ammonia)
    own = np.repeat(energy[list(POINTS.values())], 5)
    assert (energy - own)[kinds == "far"].mean() > 2 * (energy - own)[kinds == "near"].mean()


def test_they_pass_the_checks(ammonia) -> None:
    assert check(ammonia).faults == []


def test_a_point_of_another_kind_is_refused() -> None:
    molecule = Atoms("H2", [[0, 0, 0], [0, 0, 1]])
    with pytest.raises(InputError, match="H2 ts: wanted 1 imaginary modes, got 0"):
        reactions_xtb._refuse_other("H2 ts", molecule, np.eye(6), 1)
