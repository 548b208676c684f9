"""The built-in reactions: what they hold, and that it is what it is called."""

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.lj import LennardJones
from ase.data import atomic_masses
from tblite.ase import TBLite

from mlipkd.checks.check import check
from mlipkd.config.functions import Calculator
from mlipkd.datasets.dataset import row_offsets
from mlipkd.datasets.file import kinds_of
from mlipkd.datasets.normal_modes import hessian_matrix, normal_modes, wavenumbers
from mlipkd.errors import InputError
from mlipkd.readers import reactions, stationary_points
from mlipkd.readers.reactions import Reactions
from mlipkd.readers.stationary_points import alike, leads_to

SOURCE = Reactions(reader="reactions", reactions=("ammonia",), near=2, far=2)
POINTS = {"reactant": 0, "product": 5, "ts": 10}


@pytest.fixture(scope="module")
def ammonia():
    return SOURCE.read("reactions")


def hessian(dataset, m):
    rows = row_offsets("hessian", dataset.offsets)
    return hessian_matrix(dataset.labels["reference"]["hessian"][rows[m] : rows[m + 1]])


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
    """Along one direction, by central differences of another step than the reader takes."""
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
    stationary = np.repeat(energy[list(POINTS.values())], 5)
    assert (energy - stationary)[kinds == "far"].mean() > 2 * (energy - stationary)[
        kinds == "near"
    ].mean()


def test_they_pass_the_checks(ammonia) -> None:
    assert check(ammonia).faults == []


def test_a_point_of_another_kind_is_refused() -> None:
    molecule = Atoms("H2", [[0, 0, 0], [0, 0, 1.1]], calculator=LennardJones())
    with pytest.raises(InputError, match="H2 with x: expected 1 imaginary modes of the ts, got 0"):
        reactions._point("H2 with x", "ts", molecule)


def of(type, *reactions, **options):
    """A source with another method."""
    calculator = Calculator(type=type, options=options)
    update = {"calculator": calculator, "reactions": reactions, "near": 1, "far": 1}
    return SOURCE.model_copy(update=update)


def test_another_method_finds_points_of_its_own(ammonia) -> None:
    options = {"solvation": ["alpb", "water"], "accuracy": 0.01, "verbosity": 0}
    made = of("tblite.ase:TBLite", "ammonia", **options).read("reactions")
    molecule = Atoms(made.species[24:28], made.positions[24:28], calculator=TBLite(**options))
    assert kinds_of(made)[6] == "ts"
    assert np.abs(molecule.get_forces()).max() < 2e-3
    energy, other = (dataset.labels["reference"]["energy"] for dataset in (made, ammonia))
    assert energy[6] == pytest.approx(molecule.get_potential_energy())
    assert abs((energy[6] - energy[0]) - (other[10] - other[0])) > 1e-3
    assert made.provenance["source"]["calculator"]["options"] == options


def test_the_inversion_of_ammonia_leads_to_both_sides(ammonia) -> None:
    at = {point: slice(4 * m, 4 * m + 4) for point, m in POINTS.items()}
    reactant, saddle = (
        Atoms(ammonia.species[at[point]], ammonia.positions[at[point]])
        for point in ("reactant", "ts")
    )
    curvature = hessian(ammonia, POINTS["ts"])
    ends = leads_to("ammonia", saddle, curvature, lambda: TBLite(verbosity=0))
    heights = [np.linalg.det(end.positions[1:] - end.positions[0]) for end in ends]
    assert heights[0] == pytest.approx(-heights[1], rel=0.01)
    assert all(alike(end, reactant) for end in ends)
    assert not alike(saddle, reactant)


def test_a_transition_state_of_another_reaction_is_refused(monkeypatch) -> None:
    monkeypatch.setattr(stationary_points, "leads_to", lambda place, saddle, *_: (saddle, saddle))
    with pytest.raises(InputError, match=r"^ammonia with tblite.*, got one that leads elsewhere"):
        SOURCE.read("reactions")


def test_a_surface_without_the_barrier_is_refused() -> None:
    """Three Lennard-Jones atoms have one minimum, the same on both sides."""
    with pytest.raises(
        InputError,
        match=r"^hydrogen-cyanide with ase.*LennardJones: expected a transition state, found no",
    ):
        of("ase.calculators.lj:LennardJones", "hydrogen-cyanide").read("reactions")


def test_a_method_that_fails_is_named() -> None:
    with pytest.raises(InputError, match=r"^ammonia with tblite.*: .* failed on the way \(.*SCF"):
        of("tblite.ase:TBLite", "ammonia", max_iterations=1, verbosity=0).read("reactions")


def test_samples_that_are_all_too_high_are_refused() -> None:
    method = reactions.Method("reactions", of("ase.calculators.lj:LennardJones").calculator)
    pair = Atoms("H2", [[0, 0, 0], [0, 0, 2 ** (1 / 6)]], calculator=method.calculator())
    point = reactions._point("H2", "reactant", pair)._replace(labels={"energy": -9.0})
    with pytest.raises(InputError, match=r"^near H2 with .*Jones: expected samples .* of 300 K"):
        reactions._sample(np.random.default_rng(0), "near H2", method, point, 300.0)
