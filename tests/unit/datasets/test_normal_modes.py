"""Normal modes against answers known without them."""

import numpy as np
import pytest
from ase import Atoms
from ase.data import atomic_masses
from ase.units import invcm
from ase.vibrations.data import VibrationsData

from mlipkd.datasets.normal_modes import (
    hessian_blocks,
    hessian_matrix,
    normal_modes,
    rigid_motions,
    wavenumbers,
)
from tests.springs import REST, SPECIES, spring_hessian


def test_a_diatomic_molecule_vibrates_with_its_reduced_mass() -> None:
    """ω = √(k/μ): 510 N/m, H and ³⁵Cl at rest, give the 2,990/cm of hydrogen chloride."""
    stiffness = 516.0 / 16.0217663  # N/m in eV/Å²
    along = np.diag([0, 0, stiffness])
    hessian = np.block([[along, -along], [-along, along]])
    positions, masses = np.array([[0, 0, 0], [0, 0, 1.27]]), np.array([1.00783, 34.96885])
    eigenvalues, modes = normal_modes(hessian, positions, masses)
    assert eigenvalues == pytest.approx([stiffness * (1 / masses).sum()])
    assert wavenumbers(eigenvalues) == pytest.approx([2990.9], abs=1)
    assert masses @ modes[0] == pytest.approx(np.zeros(3), abs=1e-12)


def test_bent_molecules_have_one_mode_less_than_linear_ones() -> None:
    masses = atomic_masses[SPECIES]
    line = np.array([[0, 0, 0], [1, 0, 0], [-1, 0, 1e-4]])
    assert len(normal_modes(np.eye(9), REST, masses)[0]) == 3
    assert len(normal_modes(np.eye(9), line, masses)[0]) == 4


def test_frequencies_at_rest_are_those_of_ase() -> None:
    hessian = spring_hessian(REST)
    by_ase = VibrationsData.from_2d(Atoms(SPECIES, REST), hessian).get_energies()[-3:].real / invcm
    eigenvalues, _ = normal_modes(hessian, REST, atomic_masses[SPECIES])
    assert wavenumbers(eigenvalues) == pytest.approx(by_ase, rel=1e-6)


def test_displacements_diagonalise_the_hessian() -> None:
    hessian = spring_hessian(REST)
    eigenvalues, modes = normal_modes(hessian, REST, atomic_masses[SPECIES])
    flat = modes.reshape(3, 9)
    assert np.allclose(flat @ hessian @ flat.T, np.diag(eigenvalues), atol=1e-6)


def test_modes_of_a_saddle_have_negative_wavenumbers() -> None:
    eigenvalues, _ = normal_modes(-spring_hessian(REST), REST, atomic_masses[SPECIES])
    assert (wavenumbers(eigenvalues) < -1000).all()


def test_rotations_leave_distances_as_they_are() -> None:
    for motion in rigid_motions(REST):
        moved = REST + 1e-6 * motion
        for i, j in [(0, 1), (0, 2), (1, 2)]:
            change = np.linalg.norm(moved[i] - moved[j]) - np.linalg.norm(REST[i] - REST[j])
            assert abs(change) < 1e-11


def test_blocks_stand_where_their_atoms_do() -> None:
    pairs = np.arange(4 * 9.0).reshape(4, 3, 3)
    assert np.array_equal(hessian_matrix(pairs)[3:, :3], pairs[2])


def test_blocks_are_those_of_pairs_of_atoms_and_make_the_matrix_again() -> None:
    hessian = np.random.default_rng(0).normal(size=(12, 12))
    pairs = hessian_blocks(hessian)
    np.testing.assert_array_equal(pairs[1, 3], hessian[3:6, 9:12])
    np.testing.assert_array_equal(hessian_matrix(pairs.reshape(-1, 3, 3)), hessian)
