"""Checks: right data pass, each kind of wrong data is named."""

from dataclasses import replace

import numpy as np
import pytest
from ase.units import Bohr, Hartree, kcal, mol

from mlipkd.checks.check import check
from mlipkd.checks.force_energy_consistency import Pair, consistency, consistency_of
from mlipkd.checks.label_statistics import contradictory_copies
from mlipkd.checks.positions_and_labels import contacts
from mlipkd.datasets.dataset import Bead
from mlipkd.readers.ani import Ani1x, AniAl, Comp6
from mlipkd.testing import dataset_of, random_crystal


def with_labels(dataset, **labels):
    return replace(dataset, labels={"reference": {**dataset.labels["reference"], **labels}})


def scaled(dataset, positions=1.0, energy=1.0, forces=1.0):
    reference = dataset.labels["reference"]
    return replace(
        with_labels(
            dataset, energy=energy * reference["energy"], forces=forces * reference["forces"]
        ),
        positions=positions * dataset.positions,
        cells=positions * dataset.cells,
    )


def test_springs_pass_with_slope_one(springs) -> None:
    report = check(springs)
    assert report.faults == []
    assert report.consistency.slope == pytest.approx(1, abs=0.03)
    assert report.consistency.correlation > 0.99
    assert "forces go with the energies" in report.remarks[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"forces": -1}, r"expected forces F = -dE/dR, got the gradient \+dE/dR"),
        ({"forces": 1 / Hartree}, "mismatch like that between Ha and eV"),
        ({"forces": Bohr}, "mismatch like that between bohr and Å"),
        ({"forces": mol / kcal}, "mismatch like that between eV and kcal/mol"),
        ({"energy": 1 / Hartree, "forces": 1 / Hartree}, "look as if in Ha, but read as eV"),
        ({"energy": Hartree, "forces": Hartree}, "look as if in eV, but read as Ha"),
        ({"positions": 1 / Bohr}, "look as if in bohr, but read as Å"),
        ({"positions": 1 / Bohr, "forces": Bohr}, "look as if in bohr, but read as Å"),
        ({"positions": Bohr}, "look as if in Å, but read as bohr"),
        ({"positions": 0.1}, "look as if in nm, but read as Å"),
        ({"positions": 10}, "look as if in Å, but read as nm"),
    ],
)
def test_a_wrong_sign_or_unit_is_named(springs, change, message) -> None:
    faults = check(scaled(springs, **change)).faults
    assert len(faults) >= 1
    assert all(fault.startswith("test: expected") for fault in faults)
    assert any(np.char.find(faults, message.replace("\\", "")) >= 0)


def test_forces_that_energies_cannot_judge_are_taken_as_documented(springs) -> None:
    few = springs.select(range(3))
    assert check(scaled(few, forces=-1)).faults == []
    assert "as documented" in check(few).remarks[0]


@pytest.mark.parametrize(
    ("change", "contradicts"),
    [
        ({}, True),
        ({"step": 0.3}, False),
        ({"strained": True}, False),
        ({"size": 10_000}, False),
    ],
)
def test_unrelated_labels_contradict_each_other_where_pairs_are_near(change, contradicts) -> None:
    rng = np.random.default_rng(0)
    pair = Pair(0.1, 0.0, 0.0, 10.0, False, 3, 0, 1)._replace(**change)
    pairs = [pair._replace(work=w, difference=d) for w, d in rng.normal(scale=0.3, size=(40, 2))]
    assert bool(consistency_of(pairs).contradiction) == contradicts


def test_energies_of_another_frame_or_method_are_named(springs) -> None:
    energy = springs.labels["reference"]["energy"]
    noise = np.random.default_rng(0).normal(size=springs.positions.shape)
    levels = energy + 5 * (np.arange(len(springs)) < 20)
    shifted = energy[np.arange(len(springs)) - 1]
    for labels in ({"energy": levels}, {"energy": shifted}, {"forces": noise}):
        (fault,) = check(with_labels(springs, **labels)).faults
        assert fault.startswith("test: expected energy differences of neighbouring configurations")
        assert "one method and of the same frame" in fault


def test_neighbours_that_are_few_or_differ_little_contradict_nothing(springs) -> None:
    energy = springs.labels["reference"]["energy"]
    few = with_labels(springs, energy=energy + 5 * (np.arange(40) < 3)).select(range(6))
    assert check(few).faults == []
    tiny = scaled(springs, energy=1e-3, forces=1e-3)
    assert check(with_labels(tiny, energy=1e-3 * np.roll(energy, 1))).faults == []


def test_labels_that_are_all_the_same_are_faults(springs) -> None:
    reference = springs.labels["reference"]
    level = np.full(len(springs), reference["energy"].mean())
    still = np.zeros_like(reference["forces"])
    for labels, wrong in [
        ({"energy": level}, ["energies"]),
        ({"forces": still}, ["forces"]),
        ({"energy": level, "forces": still}, ["energies", "forces"]),
    ]:
        report = check(with_labels(springs, **labels))
        starts = [f"test: expected {what} that depend on the positions" for what in wrong]
        assert [
            fault[: len(start)] for fault, start in zip(report.faults, starts, strict=True)
        ] == (starts)
        assert not any("no neighbouring configurations" in line for line in report.remarks)


def test_atoms_alone_and_copies_may_have_the_same_labels(springs) -> None:
    atom = (np.array([1]), np.zeros((1, 3)), np.zeros((3, 3)))
    single_atoms = dataset_of([atom] * 5, energy=np.full(5, -13.6), forces=np.zeros((5, 3)))
    assert check(single_atoms).faults == []
    assert check(springs.select([7] * 5)).faults == []


@pytest.mark.parametrize("turned", [False, True], ids=["copied", "turned"])
def test_copies_with_other_labels_are_named(springs, turned) -> None:
    twice = springs.select([*range(40), 7])
    if turned:
        quarter = np.array([[0, 1.0, 0], [-1, 0, 0], [0, 0, 1]])
        twice.positions[-3:] = twice.positions[-3:] @ quarter + 1.0
        twice.labels["reference"]["forces"][-3:] = (
            twice.labels["reference"]["forces"][-3:] @ quarter
        )
    assert check(twice).faults == []
    twice.labels["reference"]["energy"][40] += 0.02
    assert check(twice).faults == []
    twice.labels["reference"]["energy"][40] += 2
    (fault,) = check(twice).faults
    assert fault.startswith("test: configuration 40: expected the labels of test: configuration 7")
    assert "+2.02 eV" in fault


def test_copies_with_other_forces_are_named_but_of_beads(springs) -> None:
    twice = springs.select([*range(40), 7])
    twice.labels["reference"]["forces"][-1] += 3
    (fault,) = check(twice).faults
    assert "configuration 40: expected the labels of test: configuration 7" in fault
    assert "forces up to 3 eV/Å" in fault
    assert contradictory_copies(replace(twice, beads=(Bead("W", 18.0),)), []) == []


def test_crystals_of_one_atom_are_no_free_atoms() -> None:
    def remarks(side, periodic=True):
        cells = [np.eye(3) * (side + 0.01 * i) * periodic for i in range(6)]
        atoms = [(np.array([13]), np.zeros((1, 3)), cell) for cell in cells]
        labels = {"energy": np.linspace(0, periodic, 6) ** 2, "forces": np.zeros((6, 3))}
        report = check(dataset_of(atoms, **labels))
        assert report.faults == []
        return " ".join(report.remarks)

    assert "6 configurations are a crystal of one atom" in remarks(2.8)
    assert "free atom" not in remarks(2.8)
    for free in (remarks(6.8), remarks(2.8, periodic=False)):
        assert "6 configurations are a free atom" in free
        assert "crystal" not in free


def test_what_is_wrong_with_the_forces_is_said_once(springs) -> None:
    report = check(scaled(springs, forces=-1))
    assert len(report.faults) == 1
    assert report.remarks == []


def test_missing_forces_are_left_out_of_the_slope(springs) -> None:
    forces = springs.labels["reference"]["forces"].copy()
    forces[4] = np.nan
    masked = replace(with_labels(springs, forces=forces), provenance={"masked": ["forces"]})
    report = check(masked)
    assert report.faults == []
    assert report.consistency.slope == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize(("label", "row"), [("energy", 4), ("forces", 13)])
def test_a_label_that_is_no_number_is_named_with_its_configuration(
    springs, label, row, value
) -> None:
    values = springs.labels["reference"][label].copy()
    values[row] = value
    (fault,) = check(with_labels(springs, **{label: values})).faults
    assert fault.startswith(f"test: configuration 4: expected finite reference {label}")


def test_many_faults_of_a_kind_are_counted(springs) -> None:
    energy = springs.labels["reference"]["energy"].copy()
    energy[10:30] = np.nan
    faults = check(with_labels(springs, energy=energy)).faults
    assert len(faults) == 5
    assert faults[-1].endswith("(and so in 15 configurations more)")


def test_overlapping_atoms_are_named(springs) -> None:
    positions = springs.positions.copy()
    positions[7] = positions[8] + [0.1, 0, 0]
    (fault,) = check(replace(springs, positions=positions)).faults
    assert "configuration 2: expected atoms at least 0.4 Å apart, got 0.100 Å" in fault
    assert "between atom 1 and atom 2" in fault


def test_atoms_in_one_place_are_named(springs) -> None:
    positions = springs.positions.copy()
    positions[6:9] = positions[6]
    assert "got 0.000 Å" in check(replace(springs, positions=positions)).faults[0]


def boxes(cells):
    """Two atoms 2.5 Å apart in each cell."""
    positions = np.array([[0, 0, 0], [0, 0, 2.5]])
    made = [(np.array([13, 13]), positions, np.array(cell, float)) for cell in cells]
    return dataset_of(made, energy=np.zeros(len(made)))


def test_overlap_over_the_boundary_is_seen() -> None:
    good = np.diag([4, 4, 5.0])
    (fault,) = check(boxes([good] * 9 + [np.diag([4, 4, 2.6])])).faults
    assert "configuration 9: expected atoms at least 0.4 Å apart, got 0.100 Å" in fault
    (fault,) = check(boxes([good] * 9 + [np.diag([0.3, 4, 5])])).faults
    assert "its own image" in fault


@pytest.mark.parametrize(
    "cell",
    [
        [[4, 0, 0], [4, 0, 0], [0, 0, 5]],
        [[4, 0, 0], [0, 4, 0], [1, 1, 1e-6]],
        [[4, 0, 0], [0, 4, 0], [0, 0, np.nan]],
        [[1e12, 0, 0], [0, 4, 0], [0, 0, 4]],
    ],
)
def test_degenerate_cells_are_named(cell) -> None:
    (fault,) = check(boxes([np.diag([4, 4, 5]), cell])).faults
    assert "configuration 1: expected lattice vectors that span a volume" in fault


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
def test_positions_nowhere_are_named(springs, value) -> None:
    positions = springs.positions.copy()
    positions[5, 1] = value
    (fault,) = check(replace(springs, positions=positions)).faults
    assert f"configuration 1: expected positions within 1e+06 Å, got y = {value:g}" in fault


@pytest.mark.parametrize(
    ("species", "distance"),
    [((18, 18), 3.8), ((11, 17), 2.8), ((55, 55), 5.2), ((7, 7), 1.1), ((13, 13), 2.86)],
    ids=["argon", "rock salt", "caesium", "nitrogen", "aluminium"],
)
def test_usual_distances_are_no_mistake_of_the_unit(species, distance) -> None:
    positions = np.array([[0, 0, 0], [0, 0, distance]])
    one = (np.array(species), positions, np.zeros((3, 3)))
    assert check(dataset_of([one] * 20, energy=np.zeros(20))).faults == []


def test_nearest_neighbours_agree_with_all_distances() -> None:
    rng = np.random.default_rng(2)
    crystals = [random_crystal(rng, 6, side=5.0) for _ in range(5)]
    images = np.array(np.meshgrid(*[[-2, -1, 0, 1, 2]] * 3)).reshape(3, -1).T
    near = contacts(dataset_of(crystals))
    for m, (_, positions, cell) in enumerate(crystals):
        vectors = positions[:, None, None] - positions[None, :, None] + images @ cell
        distances = np.linalg.norm(vectors, axis=-1)
        assert near.distance[m] == pytest.approx(distances[distances > 1e-9].min())


REAL = [
    *(AniAl(reader="ani-al", files=[f"al/data-{n}.h5"]) for n in range(4)),
    *(
        Ani1x(
            reader="ani1x",
            files=["chno/ani1x-release-small.h5"],
            energy=energy,
            forces="wb97x_dz.forces",
        )
        for energy in ("wb97x_dz.energy", "ccsd(t)_cbs.energy")
    ),
    Ani1x(
        reader="ani1x",
        files=["qm22/ethanol.h5"],
        energy="b3lyp.energy",
        forces="b3lyp.forces",
    ),
    Comp6(reader="comp6", files=["chno/comp6_gdb10to13_wb97x.h5"]),
    Comp6(reader="comp6", files=["chno/comp6_torsion_ccx.h5"]),
]


@pytest.mark.parametrize("source", REAL, ids=lambda s: f"{s.files[0]}-{getattr(s, 'energy', '')}")
def test_real_data_pass_and_their_flipped_forces_do_not(shared_data, source) -> None:
    files = [str(shared_data / name) for name in source.files]
    dataset = source.model_copy(update={"files": files}).read("real")
    report = check(dataset)
    assert report.faults == []
    assert report.consistency.slope == pytest.approx(1, abs=0.25)
    assert consistency(scaled(dataset, forces=-1)).fault().startswith("expected forces F = -dE/dR")


def test_real_energies_pass(shared_data) -> None:
    source = Ani1x(
        reader="ani1x",
        files=[str(shared_data / "qm22/malonaldehyde.h5")],
        energy="ccsd(t)_cbs.energy",
    )
    assert check(source.read("malonaldehyde")).faults == []
