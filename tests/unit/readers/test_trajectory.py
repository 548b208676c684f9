"""All-atom dynamics read and mapped, of small systems that MDAnalysis writes."""

from pathlib import Path

import numpy as np
import pytest

from mlipkd.errors import InputError
from mlipkd.readers.trajectory import Trajectory
from mlipkd.units import KJ_MOL

mda = pytest.importorskip("MDAnalysis", reason="needs the extra coarse")

BEADS = {"dimer": "resname DIM", "ion": "resname ION"}
MASSES = np.array([3.0, 1.0, 3.0, 1.0, 5.0])
BOX = [20.0, 22.0, 24.0, 90.0, 90.0, 90.0]
SKEWED = [20.0, 22.0, 24.0, 80.0, 70.0, 100.0]
#: Two dimers of 2 and 3 Å, and an ion.
WHOLE = np.array([[1, 1, 1], [3, 1, 1], [9, 9, 9], [9, 12, 9], [15, 5, 5.0]])
CENTRES = np.array([[1.5, 1, 1], [9, 9.75, 9], [15, 5, 5]])

TOPOLOGY = """
[ moleculetype ]
DIM 1
[ atoms ]
1 HA 1 DIM A 1 0.0 3.0
2 HB 1 DIM B 1 0.0 1.0
[ moleculetype ]
ION 1
[ atoms ]
1 IO 1 ION I 1 0.0 5.0
[ system ]
two dimers and an ion
[ molecules ]
DIM 2
ION 1
"""


@pytest.fixture
def topology(tmp_path) -> str:
    path = tmp_path / "system.itp"
    path.write_text(TOPOLOGY)
    return str(path)


def write(path: Path, positions, forces=None, boxes=None) -> str:
    """A trajectory of (frames, atoms, 3) in Å and kJ/(mol Å)."""
    atoms = len(positions[0])
    universe = mda.Universe.empty(atoms, trajectory=True, forces=forces is not None)
    with mda.Writer(str(path), atoms) as writer:
        for m, frame in enumerate(positions):
            universe.atoms.positions = frame
            if forces is not None:
                universe.atoms.forces = forces[m]
            universe.dimensions = BOX if boxes is None else boxes[m]
            writer.write(universe.atoms)
    return str(path)


def source(topology: str, *files: str, **other) -> Trajectory:
    return Trajectory.model_validate(
        {
            "reader": "trajectory",
            "topology": topology,
            "files": files,
            "beads": BEADS,
            "temperature": 300,
            **other,
        }
    )


def test_beads_of_a_trajectory(topology, tmp_path) -> None:
    forces = np.arange(30.0).reshape(2, 5, 3)
    path = write(tmp_path / "run.trr", [WHOLE, WHOLE + 1], forces)
    before = set(tmp_path.iterdir())
    dataset = source(topology, path).read("d")
    assert set(tmp_path.iterdir()) == before
    assert [(bead.name, bead.mass) for bead in dataset.beads] == [("dimer", 4.0), ("ion", 5.0)]
    assert dataset.species.tolist() == 2 * [1, 1, 2]
    assert np.allclose(dataset.positions, np.concatenate([CENTRES, CENTRES + 1]), atol=1e-5)
    # By hand: atoms 0 and 1 have (0, 1, 2) and (3, 4, 5) kJ/(mol Å), 1 kJ/mol = 0.0103643 eV.
    mapped = dataset.labels["reference"]["forces"]
    assert np.allclose(mapped[0], 0.0103643 * np.array([3, 5, 7]), rtol=1e-5)
    assert np.allclose(mapped[2], KJ_MOL * np.array([12, 13, 14]))
    assert list(dataset.labels["reference"]) == ["forces"]
    assert np.allclose(dataset.cells, np.diag(BOX[:3]))
    assert dataset.periodic.all()
    assert set(dataset.provenance["source_sha256"]) == {topology, path}


def test_forces_are_those_of_a_spring_and_not_its_gradient(topology, tmp_path) -> None:
    """U = ½ k (x₁ - x₀)² between the ion and the first dimer pulls the two together."""
    stretch, stiffness = CENTRES[2] - CENTRES[0], 2.0  # Å, kJ/(mol Å²)
    forces = np.zeros((1, 5, 3))
    forces[0, 0], forces[0, 4] = stiffness * stretch, -stiffness * stretch
    path = write(tmp_path / "run.trr", [WHOLE], forces)
    mapped = source(topology, path).read("d").labels["reference"]["forces"]
    assert np.allclose(mapped, KJ_MOL * stiffness * np.array([stretch, 0 * stretch, -stretch]))


@pytest.mark.parametrize("box", [BOX, SKEWED], ids=["right-angled", "skewed"])
def test_molecules_across_the_boundary_are_made_whole(topology, tmp_path, box) -> None:
    rng = np.random.default_rng(3)
    shifts = rng.normal(scale=30, size=(20, 1, 3))
    cell = mda.lib.mdamath.triclinic_vectors(box).astype(float)
    fractions = (WHOLE + shifts) @ np.linalg.inv(cell)
    broken = (fractions % 1) @ cell  # every atom by itself
    assert np.linalg.norm(broken[:, 1] - broken[:, 0], axis=1).max() > 10
    path = write(tmp_path / "run.trr", broken, np.zeros((20, 5, 3)), [box] * 20)
    dataset = source(topology, path).read("d")
    off = (dataset.positions.reshape(20, 3, 3) - CENTRES - shifts) @ np.linalg.inv(cell)
    assert np.allclose(off, np.round(off), atol=1e-5)
    inside = dataset.positions @ np.linalg.inv(cell)
    assert inside.min() > -1e-6
    assert inside.max() < 1 + 1e-6


def test_every_so_many_frames_in_runs_that_are_groups(topology, tmp_path) -> None:
    frames = np.tile(WHOLE, (10, 1, 1)) + np.arange(10.0)[:, None, None] / 10
    one = write(tmp_path / "one.trr", frames, np.zeros((10, 5, 3)))
    two = write(tmp_path / "two.trr", frames[:3], np.zeros((3, 5, 3)))
    dataset = source(topology, one, two, every=2, blocks=2).read("d")
    assert np.allclose(dataset.positions[::3, 0] - 1.5, [0, 0.2, 0.4, 0.6, 0.8, 0, 0.2], atol=1e-5)
    assert dataset.groups.tolist() == [0, 0, 0, 1, 1, 2, 3]


def test_a_free_molecule_has_no_box(topology, tmp_path) -> None:
    path = write(tmp_path / "run.trr", [WHOLE - 50], np.zeros((1, 5, 3)), [None])
    dataset = source(topology, path).read("d")
    assert np.allclose(dataset.positions, CENTRES - 50, atol=1e-5)
    assert not dataset.periodic.any()


def zeros(frames: int) -> np.ndarray:
    return np.zeros((frames, 5, 3))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (([WHOLE],), r"run.trr: frame 0: expected forces, found none; .*nstfout"),
        (
            ([WHOLE] * 2, zeros(2), [BOX, [21.0, *BOX[1:]]]),
            r"run.trr: expected one box in all frames, got 21.0000 .* in frame 1 and 20.0000",
        ),
        (([WHOLE] * 2, zeros(2), [BOX, None]), "expected a box in all frames or in none, got both"),
        (([WHOLE[:4]], zeros(1)[:, :4]), "expected a trajectory of the topology's atoms"),
        (
            ([WHOLE * [5, 1, 1]], zeros(1)),
            r"frame 0: expected beads shorter than half the box, got 'dimer' with atoms 10.0 Å",
        ),
    ],
    ids=["no forces", "boxes", "box missing", "atoms", "long bead"],
)
def test_a_trajectory_that_cannot_be_mapped_is_refused(
    topology, tmp_path, content, message
) -> None:
    path = write(tmp_path / "run.trr", *content)
    with pytest.raises(InputError, match=message):
        source(topology, path).read("d")


def test_boxes_of_two_files_must_be_one(topology, tmp_path) -> None:
    one = write(tmp_path / "one.trr", [WHOLE], zeros(1))
    two = write(tmp_path / "two.trr", [WHOLE], zeros(1), [[*BOX[:2], 30.0, 90, 90, 90]])
    with pytest.raises(InputError, match=r"two.trr: expected one box in all frames"):
        source(topology, one, two).read("d")


@pytest.mark.parametrize(
    ("beads", "message"),
    [
        ({"dimer": "resname DIM"}, r"1 of ION \(1 residues\) in none"),
        ({**BEADS, "a": "name A"}, r"2 of DIM \(2 residues\) in 'a' and in 'dimer'"),
        ({**BEADS, "water": "resname SOL"}, "expected atoms of the bead 'water'"),
        (
            {**BEADS, "bad": "no such words"},
            "expected a selection of MDAnalysis for the bead 'bad'",
        ),
    ],
)
def test_a_mapping_that_leaves_atoms_out_is_refused(topology, tmp_path, beads, message) -> None:
    path = write(tmp_path / "run.trr", [WHOLE], zeros(1))
    with pytest.raises(InputError, match=f"system.itp: .*{message}"):
        source(topology, path, beads=beads).read("d")


def test_masses_are_never_guessed(topology, tmp_path) -> None:
    path = write(tmp_path / "run.trr", [WHOLE], zeros(1))
    guessed = mda.Universe(topology, path)
    guessed.add_TopologyAttr("names", ["C", "H", "C", "H", "N"])
    guessed.atoms.write(str(tmp_path / "system.gro"))
    with pytest.raises(InputError, match=r"system.gro: expected the masses.*\.tpr, not its \.gro"):
        source(str(tmp_path / "system.gro"), path).read("d")


def test_files_that_are_not_there_are_named(topology, tmp_path) -> None:
    path = write(tmp_path / "run.trr", [WHOLE], zeros(1))
    with pytest.raises(InputError, match=r"none.tpr: expected a topology, found no file"):
        source(str(tmp_path / "none.tpr"), path).read("d")
    with pytest.raises(InputError, match=r"none.trr: expected a trajectory, found no file"):
        source(topology, str(tmp_path / "none.trr")).read("d")
    Path(path).write_bytes(b"no trajectory")
    with pytest.raises(InputError, match=r"run.trr: expected a trajectory"):
        source(topology, path).read("d")
    with pytest.raises(InputError, match=r"run.trr: expected a topology that MDAnalysis reads"):
        source(path, path).read("d")
