"""The mapping: centres of mass, consistent forces, and what is refused."""

import numpy as np
import pytest

from mlipkd.coarse_graining.mapping import mapping
from mlipkd.datasets.dataset import Bead
from mlipkd.errors import InputError

#: Two dimers of two kinds of atoms, and an ion after them.
RESIDUES = np.array([0, 0, 1, 1, 2])
NAMES = np.array(["DIM", "DIM", "DIM", "DIM", "ION"])
MASSES = np.array([3.0, 1.0, 3.0, 1.0, 5.0])
WHOLE = {"dimer": np.arange(4), "ion": np.array([4])}


def springs(positions: np.ndarray) -> tuple[float, np.ndarray]:
    """Energy and forces of unlike springs of no length at rest between all atoms."""
    stiffness = np.add.outer(np.arange(5), np.arange(5)) + 1.0  # (atoms, atoms)
    vectors = positions[None] - positions[:, None]  # (atoms, atoms, 3), from i to j
    energy = 0.25 * np.sum(stiffness * (vectors**2).sum(2))
    return energy, (stiffness[..., None] * vectors).sum(1)


def test_a_bead_is_the_centre_of_mass_with_the_sum_of_the_forces() -> None:
    found = mapping("here", WHOLE, RESIDUES, NAMES, MASSES)
    assert found.beads == (Bead("dimer", 4.0), Bead("ion", 5.0))
    assert found.species.tolist() == [1, 1, 2]
    positions = np.array([[0, 0, 0], [4, 0, 0], [0, 8, 0], [0, 0, 8], [7, 7, 7.0]])
    assert np.allclose(found.centres(positions), [[1, 0, 0], [0, 6, 2], [7, 7, 7]])
    assert np.allclose(found.forces(positions), [[4, 0, 0], [0, 8, 8], [7, 7, 7]])


def test_the_force_is_the_slope_as_the_atoms_of_a_bead_shift_together() -> None:
    found = mapping("here", WHOLE, RESIDUES, NAMES, MASSES)
    positions = np.random.default_rng(0).normal(size=(5, 3))
    forces = found.forces(springs(positions)[1])
    step = 1e-4
    for bead in range(3):
        for axis in range(3):
            shift = np.zeros((5, 3))
            shift[found.owner == bead, axis] = step
            moved = found.centres(positions + shift) - found.centres(positions)
            assert moved[bead, axis] == pytest.approx(step)
            slope = (springs(positions + shift)[0] - springs(positions - shift)[0]) / (2 * step)
            assert forces[bead, axis] == pytest.approx(-slope)


def test_several_beads_share_a_residue() -> None:
    parts = {"light": np.array([1, 3]), "heavy": np.array([0, 2]), "ion": np.array([4])}
    found = mapping("here", parts, RESIDUES, NAMES, MASSES)
    assert [bead.name for bead in found.beads] == ["light", "heavy", "ion"]
    assert [bead.mass for bead in found.beads] == [1.0, 3.0, 5.0]
    assert found.species.tolist() == [1, 2, 1, 2, 3]
    assert found.owner.tolist() == [1, 0, 3, 2, 4]


@pytest.mark.parametrize(
    ("selected", "message"),
    [
        ({"dimer": [0, 1]}, r"3 of DIM \(1 residues\), ION \(1 residues\) in none"),
        ({**WHOLE, "all": [3, 4]}, r"2 of DIM .* and in 'dimer', 'ion'"),
        (
            {**WHOLE, "none": []},
            r"bead 'none', got none: its selection takes none of .*DIM \(2 residues\)",
        ),
        ({"dimer": [0, 1, 2], "rest": [3, 4]}, r"beads 'dimer' of one mass above 0, got 3 to 4 u"),
    ],
)
def test_a_mapping_that_does_not_have_each_atom_once_is_refused(selected, message) -> None:
    selected = {name: np.array(atoms, int) for name, atoms in selected.items()}
    with pytest.raises(InputError, match=f"here: expected .*{message}"):
        mapping("here", selected, RESIDUES, NAMES, MASSES)
