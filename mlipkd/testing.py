"""Tests of models, of this project and of others: a contract, and small systems.

The contract is what physics asks of a potential whatever its weights. A model, as the contract sees
it, is a function from configurations to energies, forces and stress; ``of_potential`` makes one of
a model file, run by the engine that production runs, ``of_calculator`` of any ASE calculator:

    @pytest.mark.parametrize("check", CONTRACT)
    def test_contract(check):
        check(of_calculator(MyCalculator(), elements=(13, 29), cutoff=6.0))

A check raises AssertionError where the model breaks it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator
from scipy.spatial.transform import Rotation

from mlipkd.datasets.dataset import Dataset
from mlipkd.hipnn.file import Potential
from mlipkd.hipnn.prediction import predict

#: Largest relative difference between two ways of computing the same number in float64.
PARITY = 1e-10
#: The same for forces, eV/Å, and stress, eV/Å³, which may vanish.
FORCE = 1e-9

#: Atomic numbers (atoms,), positions (atoms, 3) and cell (3, 3), Å; a zero cell is free.
Configuration = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Model:
    """A potential as its contract sees it."""

    predict: Callable[[Sequence[Configuration]], dict[str, np.ndarray]]
    """All of some configurations at once: ``energy`` (configurations,), eV, ``forces`` (atoms, 3),
    eV/Å, and, where it gives them, ``stress`` (configurations, 3, 3), eV/Å³, positive under
    tension, of periodic systems, and ``atomic_energies`` (atoms,), eV."""
    elements: tuple[int, ...]
    """Atomic numbers that it knows."""
    cutoff: float | None = None
    """Where atoms cease to feel each other smoothly, Å; none if there is no such distance."""

    def one(self, *configuration: np.ndarray) -> dict[str, np.ndarray]:
        """What ``predict`` gives for one configuration."""
        return self.predict([configuration])  # type: ignore[list-item]


def of_potential(potential: Potential) -> Model:
    """The model of a model file, with the engine that its device has."""
    network = potential.model
    return Model(
        lambda configurations: predict(potential, dataset_of(list(configurations))),
        network.species,
        network.architecture.hard_max,
    )


def of_calculator(
    calculator: BaseCalculator, elements: Sequence[int], cutoff: float | None = None
) -> Model:
    """The model of an ASE calculator, which computes one configuration after the other."""
    given = calculator.implemented_properties

    def predict(configurations: Sequence[Configuration]) -> dict[str, np.ndarray]:
        results: dict[str, list[np.ndarray]] = {}
        for numbers, positions, cell in configurations:
            atoms = Atoms(numbers, positions, cell=cell, pbc=cell.any(), calculator=calculator)
            stress = np.full((3, 3), np.nan)
            if "stress" in given and atoms.pbc.all():
                stress = atoms.get_stress(voigt=False)
            values = {
                "energy": np.array([atoms.get_potential_energy()]),
                "forces": atoms.get_forces(),
                "stress": stress[None],
            }
            if "energies" in given:
                values["atomic_energies"] = atoms.get_potential_energies()
            for name, value in values.items():
                results.setdefault(name, []).append(np.array(value))
        joined = {name: np.concatenate(values) for name, values in results.items()}
        return joined if "stress" in given else {**joined, "stress": joined["stress"][:0]}

    return Model(predict, tuple(elements), cutoff)


def forces_are_finite_differences_of_the_energy(model: Model) -> None:
    """F = -∂E/∂R, of a molecule and a crystal."""
    step = 1e-4
    for make in (random_molecule, random_crystal):
        numbers, positions, cell = make(_generator(), 5, model.elements)
        forces = model.one(numbers, positions, cell)["forces"]
        for atom, axis in ((0, 0), (2, 1), (4, 2)):
            moved = np.repeat(positions[None], 4, axis=0)
            moved[:, atom, axis] += step * np.array([-2, -1, 1, 2])
            E = model.predict([(numbers, one, cell) for one in moved])["energy"]
            derivative = (E[0] - 8 * E[1] + 8 * E[2] - E[3]) / (12 * step)
            np.testing.assert_allclose(forces[atom, axis], -derivative, rtol=0, atol=2e-7)


def stress_is_a_finite_difference_of_the_energy(model: Model) -> None:
    """σ = (1/V) ∂E/∂ε of a crystal in a skewed cell."""
    numbers, positions, cell = random_crystal(_generator(), 5, model.elements)
    stress = model.one(numbers, positions, cell)["stress"]
    volume, step = abs(np.linalg.det(cell)), 1e-5
    for a, b in ((0, 0), (1, 2), (2, 0)) if len(stress) else ():
        E = []
        for sign in (-1, 1):
            strain = np.eye(3)
            strain[a, b] += sign * step
            E.append(model.one(numbers, positions @ strain, cell @ strain)["energy"][0])
        derivative = (E[1] - E[0]) / (2 * step * volume)
        np.testing.assert_allclose(stress[0, a, b], derivative, rtol=0, atol=1e-6)


def rotation_and_translation_leave_the_energy_and_turn_the_forces(model: Model) -> None:
    """E(QR + t) = E(R) and F(QR + t) = Q F(R); the stress becomes Q σ Qᵀ."""
    generator = _generator()
    for make in (random_molecule, random_crystal):
        numbers, positions, cell = make(generator, 6, model.elements)
        turn = Rotation.random(rng=generator).as_matrix()
        turned = (numbers, positions @ turn.T + 3.3, cell @ turn.T)
        results = model.predict([(numbers, positions, cell), turned])
        energy, forces, stress = (results[name] for name in ("energy", "forces", "stress"))
        np.testing.assert_allclose(energy[1], energy[0], rtol=PARITY)
        np.testing.assert_allclose(forces[6:], forces[:6] @ turn.T, rtol=0, atol=FORCE)
        if len(stress):
            np.testing.assert_allclose(stress[1], turn @ stress[0] @ turn.T, rtol=0, atol=FORCE)


def permuting_atoms_permutes_their_results(model: Model) -> None:
    """Atoms of one element are alike."""
    generator = _generator()
    numbers, positions, cell = random_molecule(generator, 7, model.elements)
    order = generator.permutation(7)
    results = model.predict([(numbers, positions, cell), (numbers[order], positions[order], cell)])
    np.testing.assert_allclose(results["energy"][1], results["energy"][0], rtol=PARITY)
    for name in {"forces", "atomic_energies"} & set(results):
        first, second = results[name][:7], results[name][7:]
        np.testing.assert_allclose(second, first[order], rtol=PARITY, atol=FORCE)


def a_supercell_has_the_energy_of_its_cells(model: Model) -> None:
    """Periodic images are atoms like others."""
    numbers, positions, cell = random_crystal(_generator(), 4, model.elements)
    doubled = (
        np.concatenate([numbers, numbers]),
        np.concatenate([positions, positions + cell[1]]),
        cell * np.array([[1], [2], [1]]),
    )
    results = model.predict([(numbers, positions, cell), doubled])
    energy, forces, stress = (results[name] for name in ("energy", "forces", "stress"))
    np.testing.assert_allclose(energy[1], 2 * energy[0], rtol=PARITY)
    np.testing.assert_allclose(forces[4:], np.tile(forces[:4], (2, 1)), rtol=0, atol=FORCE)
    if len(stress):
        np.testing.assert_allclose(stress[1], stress[0], rtol=0, atol=FORCE)


def a_batch_gives_what_each_gives_by_itself(model: Model) -> None:
    """Configurations that are computed together, or one after the other, do not mix."""
    generator = _generator()
    configurations = [random_molecule(generator, n, model.elements) for n in (1, 8, 3)]
    configurations.append(random_crystal(generator, 4, model.elements))
    together = model.predict(configurations)
    first = 0
    for m, configuration in enumerate(configurations):
        single = model.one(*configuration)
        rows = slice(first, first + len(configuration[0]))
        np.testing.assert_allclose(together["energy"][m], single["energy"][0], rtol=PARITY)
        np.testing.assert_allclose(together["forces"][rows], single["forces"], rtol=0, atol=FORCE)
        first = rows.stop


def isolated_molecules_and_atoms_do_not_feel_each_other(model: Model) -> None:
    """50 Å apart, energies add up; an isolated atom feels no force."""
    generator = _generator()
    a, b = (random_molecule(generator, 4, model.elements) for _ in range(2))
    both = (np.concatenate([a[0], b[0]]), np.concatenate([a[1], b[1] + 50]), a[2])
    energy = model.predict([a, b, both])["energy"]
    np.testing.assert_allclose(energy[2], energy[:2].sum(), rtol=PARITY)
    atoms = [(np.array([number]), np.zeros((1, 3)), np.zeros((3, 3))) for number in model.elements]
    results = model.predict(atoms)
    np.testing.assert_allclose(results["forces"], 0, rtol=0, atol=FORCE)
    numbers = np.array(model.elements)
    apart = model.one(numbers, 50.0 * np.arange(len(numbers))[:, None] * np.eye(3)[0], a[2])
    np.testing.assert_allclose(apart["energy"][0], results["energy"].sum(), rtol=PARITY)


def energy_is_smooth_at_the_cutoff(model: Model) -> None:
    """Two atoms drawn apart: energy and force go to those of isolated atoms without a step."""
    if model.cutoff is None:
        return
    numbers = np.array([model.elements[-1], model.elements[0]])
    distances = (model.cutoff - 1e-4, model.cutoff + 1e-4)
    pairs = [(numbers, r * np.eye(3)[[1, 0]] * [1, 0, 0], np.zeros((3, 3))) for r in distances]
    results = model.predict(pairs)
    np.testing.assert_allclose(results["energy"][0], results["energy"][1], rtol=0, atol=1e-6)
    assert np.abs(results["forces"]).max() < 1e-3
    assert np.abs(results["forces"][2:]).max() == 0


def results_are_in_double_precision(model: Model) -> None:
    """Energies of thousands of eV leave no room in float32 for the differences that matter."""
    numbers, positions, cell = random_molecule(_generator(), 5, model.elements)
    results = model.one(numbers, positions, cell)
    assert {name for name, values in results.items() if values.dtype != np.float64} == set()
    if "atomic_energies" in results:
        total = results["atomic_energies"].sum()
        np.testing.assert_allclose(results["energy"][0], total, rtol=PARITY)


#: What every model must pass.
CONTRACT: tuple[Callable[[Model], None], ...] = (
    forces_are_finite_differences_of_the_energy,
    stress_is_a_finite_difference_of_the_energy,
    rotation_and_translation_leave_the_energy_and_turn_the_forces,
    permuting_atoms_permutes_their_results,
    a_supercell_has_the_energy_of_its_cells,
    a_batch_gives_what_each_gives_by_itself,
    isolated_molecules_and_atoms_do_not_feel_each_other,
    energy_is_smooth_at_the_cutoff,
    results_are_in_double_precision,
)


def _generator() -> np.random.Generator:
    return np.random.default_rng(11)


def dataset_of(configurations: list[Configuration], **labels: np.ndarray) -> Dataset:
    """A dataset of configurations with reference labels."""
    sizes = [len(numbers) for numbers, _, _ in configurations]
    cells = np.stack([np.asarray(cell, float) for _, _, cell in configurations])
    return Dataset(
        name="test",
        species=np.concatenate([numbers for numbers, _, _ in configurations]).astype(np.uint8),
        positions=np.concatenate([positions for _, positions, _ in configurations]),
        offsets=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        cells=cells,
        periodic=np.repeat(np.asarray(cells.any(axis=(1, 2)))[:, None], 3, axis=1),
        groups=np.arange(len(sizes)),
        splits=np.zeros(len(sizes), np.uint8),
        labels={"reference": labels},
        provenance={},
    )


def random_molecule(
    generator: np.random.Generator, atoms: int, elements: tuple[int, ...] = (1, 6, 7, 8)
) -> Configuration:
    """A free system of atoms at random places, none closer than 0.8 Å to another."""
    positions = _scattered(generator, atoms, np.eye(3) * 1.8 * atoms ** (1 / 3))
    return generator.choice(elements, atoms), positions, np.zeros((3, 3))


def random_crystal(
    generator: np.random.Generator, atoms: int, elements: tuple[int, ...] = (13,), side: float = 4.0
) -> Configuration:
    """A periodic system in a skewed cell of about the given side in Å."""
    cell = side * np.eye(3) + generator.normal(0, 0.08 * side, (3, 3))
    return generator.choice(elements, atoms), _scattered(generator, atoms, cell), cell


def _scattered(generator: np.random.Generator, atoms: int, cell: np.ndarray) -> np.ndarray:
    positions = np.empty((0, 3))
    while len(positions) < atoms:
        new = generator.random(3) @ cell
        if len(positions) == 0 or np.linalg.norm(positions - new, axis=1).min() > 0.8:
            positions = np.vstack([positions, new])
    return positions
