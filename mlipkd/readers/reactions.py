"""Built-in reference: reactants, products and transition states of reactions, and their Hessians.

All of it is a calculator's, which is GFN2-xTB (Bannwarth, Ehlert, Grimme, J. Chem. Theory Comput.
15, 1652 (2019)) by tblite if nothing else is said. That has no Hessians: they are central
differences of forces, 0.002 Å to either side, of an SCF converged to a hundredth of the usual. Rows
of one then disagree with its columns by some 1e-3 eV/Å² where the largest entries are about 100.

Around each stationary point there are normal-mode samples, of a mild and of a high temperature:
each mode of eigenvalue λ is displaced by a normal deviate of variance k_B T/|λ|. A sample is drawn
anew if its energy is more than k_B T per mode above the stationary point, twice the mean of a
harmonic molecule. Every group is one reaction.
"""

import copy
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple, Self

import numpy as np
from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from mlipkd.config.functions import Calculator
from mlipkd.datasets.blocks import Block
from mlipkd.datasets.dataset import Dataset
from mlipkd.errors import InputError
from mlipkd.imports import on_one_line
from mlipkd.readers.source import Source

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import BaseCalculator

#: Imaginary modes of the stationary points.
POINTS = {"reactant": 0, "product": 0, "ts": 1}
NEAR, FAR = "near", "far"
ATTEMPTS = 200  # at a sample, before its reaction is given up
#: How many molecules of the reader ``molecules-xtb`` take as long as one with a Hessian.
HESSIAN = 5


ReactionName = Literal[
    "acetaldehyde",
    "ammonia",
    "formaldehyde",
    "formamide",
    "formic-acid",
    "hydrogen-cyanide",
    "malonaldehyde",
    "nitrous-acid",
]


class Reactions(Source):
    """Reactants, products and transition states of small reactions with the energies, forces and
    Hessians of a calculator, and normal-mode samples around them."""

    reader: Literal["reactions"]
    calculator: Calculator = Calculator(
        type="tblite.ase:TBLite",
        options={"method": "GFN2-xTB", "accuracy": 0.01, "verbosity": 0},
    )
    """The method that they are found, verified and sampled with."""
    reactions: Annotated[tuple[ReactionName, ...], Field(min_length=1)] = (
        "hydrogen-cyanide",
        "formaldehyde",
        "formamide",
        "formic-acid",
        "acetaldehyde",
        "malonaldehyde",
    )
    """Rearrangements, by the name of one of their molecules."""
    near: PositiveInt = 20
    """Samples of the kind `near` around each stationary point."""
    temperature: PositiveFloat = 300.0
    """Temperature of these, K."""
    far: PositiveInt = 10
    """Samples of the kind `far` around each stationary point."""
    far_temperature: PositiveFloat = 1500.0
    """Temperature of these, K."""
    seed: int = 0
    """Seed of the samples."""

    @property
    def configurations(self) -> int:
        """How many configurations that makes."""
        return 3 * len(self.reactions) * (1 + self.near + self.far)

    @model_validator(mode="after")
    def _reactions_differ(self) -> Self:
        if len(set(self.reactions)) < len(self.reactions):
            raise ValueError(
                f"expected reactions that differ, got {list(self.reactions)}; keep one of each"
            )
        return self

    @property
    def computed(self) -> int:
        return HESSIAN * self.configurations

    @property
    def has_hessians(self) -> bool:
        return True

    def read(self, name: str) -> Dataset:
        """Stationary points and samples with energy, forces and Hessian, by the seed.

        Raises:
            InputError: the calculator cannot be made or has no forces, a stationary point is not
                found or is not of its kind, or the calculator cannot follow the samples.
        """
        from mlipkd.calculators.load import accommodated, versions
        from mlipkd.jobs.progress import progress

        method = Method(name, self.calculator)
        made: list[Block] = []
        with accommodated(method.unused):
            for order in progress(range(len(self.reactions)), len(self.reactions), "reactions"):
                made += self._reaction(self.reactions[order], method)
        return self._dataset(name, made, packages=versions(method.unused))

    def _reaction(self, reaction: str, method: "Method") -> Iterator[Block]:
        """The stationary points of one reaction, each followed by the samples around it."""
        samples = {NEAR: (self.near, self.temperature), FAR: (self.far, self.far_temperature)}
        for number, (kind, point) in enumerate(_points(reaction, method).items()):
            itself = Labelled(point.atoms.positions, point.labels)
            yield _block(reaction, f"{reaction} {kind}", kind, point, [itself])
            rng = np.random.default_rng([self.seed, list(REACTIONS).index(reaction), number])
            for around, (count, temperature) in samples.items():
                place = f"{reaction} {around} to the {kind}"
                drawn = [_sample(rng, place, method, point, temperature) for _ in range(count)]
                yield _block(reaction, place, around, point, drawn)


class Labelled(NamedTuple):
    """A configuration and its labels."""

    positions: np.ndarray
    """(atoms, 3), Å."""
    labels: dict
    """Energy, forces and Hessian: eV, Å."""


class Method:
    """A calculator, of which each use gets a fresh copy, and its name."""

    def __init__(self, where: str, calculator: Calculator) -> None:
        from mlipkd.calculators.load import load_calculator

        self.name = calculator.type
        self.unused = load_calculator(where, calculator)
        if "forces" not in self.unused.implemented_properties:
            raise InputError(
                f"{where}: expected a calculator with forces for stationary points, got "
                f"{self.name}, which gives {', '.join(self.unused.implemented_properties)}; choose "
                "another"
            )

    def calculator(self) -> "BaseCalculator":
        """A copy that has not computed anything that it might start from."""
        return copy.deepcopy(self.unused)


class Point(NamedTuple):
    """A stationary point."""

    atoms: "Atoms"
    curvature: np.ndarray
    """Its Hessian, (3 atoms, 3 atoms), eV/Å²."""
    labels: dict


def _points(reaction: str, method: Method) -> dict[str, Point]:
    """The stationary points of a reaction by their kinds."""
    from mlipkd.readers.stationary_points import alike, leads_to, minimum, transition_state

    place = f"{reaction} with {method.name}"
    reactant, product = REACTIONS[reaction].sides()
    try:
        for side in (reactant, product):
            side.calc = method.calculator()
            minimum(place, side)
        saddle = transition_state(place, reactant, product, method.calculator)
        atoms = {"reactant": reactant, "product": product, "ts": saddle}
        points = {kind: _point(place, kind, side) for kind, side in atoms.items()}
        ends = leads_to(place, saddle, points["ts"].curvature, method.calculator)
    except InputError:
        raise
    except Exception as error:  # calculators raise anything
        raise InputError(
            f"{place}: expected its stationary points, but the calculator failed on the way "
            f"({on_one_line(error)}); leave this reaction out"
        ) from error
    ways = (ends, ends[::-1])
    if not any(alike(one, reactant) and alike(other, product) for one, other in ways):
        raise InputError(
            f"{place}: expected a transition state between reactant and product, got one that "
            "leads elsewhere; leave this reaction out"
        )
    return points


def _point(place: str, kind: str, atoms: "Atoms") -> Point:
    from mlipkd.calculators.labelling import hessian
    from mlipkd.readers.stationary_points import imaginary_modes

    curvature = hessian(atoms)
    modes = imaginary_modes(curvature, atoms.positions, atoms.get_masses())
    if modes != POINTS[kind]:
        raise InputError(
            f"{place}: expected {POINTS[kind]} imaginary modes of the {kind}, got {modes}; leave "
            "this reaction out"
        )
    return Point(atoms, curvature, _labels(atoms, curvature))


def _sample(
    rng: np.random.Generator, place: str, method: Method, point: Point, temperature: float
) -> Labelled:
    """A normal-mode sample around a stationary point."""
    from ase.units import kB

    from mlipkd.calculators.labelling import hessian, summarised
    from mlipkd.datasets.normal_modes import normal_modes

    masses = point.atoms.get_masses()
    eigenvalues, modes = normal_modes(point.curvature, point.atoms.positions, masses)
    scales = np.sqrt(kB * temperature / np.abs(eigenvalues))  # (modes,), Å √u
    highest = point.labels["energy"] + kB * temperature * len(modes)
    failed = []
    for _ in range(ATTEMPTS):
        atoms = point.atoms.copy()
        atoms.positions += np.tensordot(scales * rng.normal(size=len(modes)), modes, axes=1)
        atoms.calc = method.calculator()
        try:
            if atoms.get_potential_energy() < highest:
                return Labelled(atoms.positions, _labels(atoms, hessian(atoms)))
        except Exception as error:  # such as an SCF that did not converge
            failed.append(on_one_line(error))
    reasons = f" (it failed on some: {summarised(failed)})" if failed else ""
    raise InputError(
        f"{place} with {method.name}: expected samples less than k_B T per mode above the "
        f"stationary point, got none in {ATTEMPTS}{reasons}; lower the temperature of "
        f"{temperature:g} K"
    )


def _labels(atoms: "Atoms", curvature: np.ndarray) -> dict:
    from mlipkd.datasets.normal_modes import hessian_blocks

    labels = {"energy": atoms.get_potential_energy(), "forces": atoms.get_forces()}
    return {**labels, "hessian": hessian_blocks(curvature)}


def _block(reaction: str, place: str, kind: str, point: Point, drawn: list[Labelled]) -> Block:
    return Block(
        place=place,
        species=point.atoms.numbers,
        positions=np.array([sample.positions for sample in drawn]),
        labels={
            label: np.array([sample.labels[label] for sample in drawn]) for label in point.labels
        },
        groups=np.full(len(drawn), reaction),
        kind=kind,
    )


class Reaction(NamedTuple):
    """Rough geometries of both sides of a rearrangement, atom by atom the same, in Å.

    They are relaxed before use; what matters is that each lies in the basin of its side."""

    symbols: str
    reactant: list[tuple[float, float, float]]
    product: list[tuple[float, float, float]]

    def sides(self) -> tuple["Atoms", "Atoms"]:
        """Reactant and product."""
        from ase import Atoms

        return Atoms(self.symbols, self.reactant), Atoms(self.symbols, self.product)


# fmt: off
REACTIONS = {
    # CH2=CH-OH from CH3-CH=O
    "acetaldehyde": Reaction(
        "CCOHHHH",
        [(0, 0, 0), (1.5, 0, 0), (2.1, 1.04, 0), (2.06, -0.95, 0), (-0.37, 1.02, 0),
         (-0.37, -0.5, 0.88), (-0.37, -0.5, -0.88)],
        [(0, 0, 0), (1.33, 0, 0), (2.05, 1.14, 0), (1.9, -0.92, 0), (1.5, 1.95, 0),
         (-0.56, 0.92, 0), (-0.5, -0.95, 0)],
    ),
    # inversion of NH3
    "ammonia": Reaction(
        "NHHH",
        [(0, 0, 0.3), (0.94, 0, 0), (-0.47, 0.81, 0), (-0.47, -0.81, 0)],
        [(0, 0, -0.3), (0.94, 0, 0), (-0.47, 0.81, 0), (-0.47, -0.81, 0)],
    ),
    # trans-HCOH from H2C=O
    "formaldehyde": Reaction(
        "COHH",
        [(0, 0, 0), (1.2, 0, 0), (-0.58, 0.94, 0), (-0.58, -0.94, 0)],
        [(0, 0, 0), (1.31, 0, 0), (1.6, 0.91, 0), (-0.4, -1.04, 0)],
    ),
    # HC(OH)=NH from HC(=O)-NH2
    "formamide": Reaction(
        "CONHHH",
        [(0, 0, 0), (1.07, 0.6, 0), (-1.17, 0.68, 0), (0.05, -1.1, 0), (-1.2, 1.68, 0),
         (-2.03, 0.18, 0)],
        [(0, 0, 0), (1.17, 0.65, 0), (-1.05, 0.7, 0), (0.05, -1.1, 0), (0.95, 1.6, 0),
         (-1.9, 0.15, 0)],
    ),
    # rotation of the hydroxyl group of HC(=O)-OH
    "formic-acid": Reaction(
        "COOHH",
        [(0, 0, 0), (1.2, 0.1, 0), (-0.7, 1.15, 0), (-0.6, -0.95, 0), (-0.02, 1.85, 0.05)],
        [(0, 0, 0), (1.2, 0.1, 0), (-0.7, 1.15, 0), (-0.6, -0.95, 0), (-1.65, 1.0, 0)],
    ),
    # HNC from HCN
    "hydrogen-cyanide": Reaction(
        "CNH",
        [(0, 0, 0), (1.16, 0, 0), (-1.07, 0, 0)],
        [(0, 0, 0), (1.17, 0, 0), (2.17, 0, 0)],
    ),
    # transfer of the proton of the enol
    "malonaldehyde": Reaction(
        "OCCCOHHHH",
        [(-1.27, 1.1, 0), (-1.2, -0.2, 0), (0, -0.95, 0), (1.23, -0.3, 0), (1.3, 0.95, 0),
         (-0.35, 1.45, 0), (-2.1, -0.8, 0), (0, -2.03, 0), (2.15, -0.9, 0)],
        [(-1.3, 0.95, 0), (-1.23, -0.3, 0), (0, -0.95, 0), (1.2, -0.2, 0), (1.27, 1.1, 0),
         (0.35, 1.45, 0), (-2.15, -0.9, 0), (0, -2.03, 0), (2.1, -0.8, 0)],
    ),
    # cis-HONO from trans-HONO
    "nitrous-acid": Reaction(
        "NOOH",
        [(0, 0, 0), (1.17, 0.1, 0), (-0.7, 1.2, 0), (-1.65, 1.05, 0)],
        [(0, 0, 0), (1.17, 0.1, 0), (-0.7, 1.2, 0), (0, 1.85, 0.05)],
    ),
}
# fmt: on
