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
from typing import NamedTuple

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator
from ase.units import kB

from mlipkd.calculators.hessian import hessian
from mlipkd.calculators.labelling import counted
from mlipkd.calculators.load import load_calculator
from mlipkd.calculators.packages import accommodated, versions
from mlipkd.config.molecules import Reactions
from mlipkd.datasets.blocks import Block, assemble
from mlipkd.datasets.dataset import Dataset
from mlipkd.datasets.normal_modes import blocks, normal_modes
from mlipkd.datasets.reactions import REACTIONS
from mlipkd.datasets.stationary_points import (
    alike,
    imaginary_modes,
    leads_to,
    minimum,
    transition_state,
)
from mlipkd.errors import InputError
from mlipkd.imports import in_words
from mlipkd.progress import progress
from mlipkd.provenance import record

#: Imaginary modes of the stationary points.
POINTS = {"reactant": 0, "product": 0, "ts": 1}
NEAR, FAR = "near", "far"
ATTEMPTS = 200  # at a sample, before its reaction is given up


class Labelled(NamedTuple):
    """A configuration and its labels."""

    positions: np.ndarray
    """(atoms, 3), Å."""
    labels: dict
    """Energy, forces and Hessian: eV, Å."""


class Method:
    """A calculator that begins anew whenever it is asked for, and what it is called."""

    def __init__(self, where: str, source: Reactions) -> None:
        self.name = source.calculator.type
        self.unused = load_calculator(where, source.calculator)
        if "forces" not in self.unused.implemented_properties:
            raise InputError(
                f"{where}: wanted a calculator with forces for stationary points, got {self.name}, "
                f"which gives {', '.join(self.unused.implemented_properties)}; choose another"
            )

    def calculator(self) -> BaseCalculator:
        """One that has not computed anything, from which it might start."""
        return copy.deepcopy(self.unused)


class Point(NamedTuple):
    """A stationary point."""

    atoms: Atoms
    curvature: np.ndarray
    """Its Hessian, (3 atoms, 3 atoms), eV/Å²."""
    labels: dict


def make(name: str, source: Reactions) -> Dataset:
    """Stationary points and samples with energy, forces and Hessian, the same for the same seed.

    Raises:
        InputError: the calculator cannot be made or has no forces, a stationary point is not found
            or is not of its kind, or the calculator cannot follow the samples.
    """
    made = []
    method = Method(name, source)
    samples = {NEAR: (source.near, source.temperature), FAR: (source.far, source.far_temperature)}
    with accommodated(method.unused):
        for order in progress(range(len(source.reactions)), len(source.reactions), "reactions"):
            reaction = source.reactions[order]
            for number, (kind, point) in enumerate(_points(reaction, method).items()):
                own = [Labelled(point.atoms.positions, point.labels)]
                made.append(_block(reaction, f"{reaction} {kind}", kind, point, own))
                rng = np.random.default_rng([source.seed, list(REACTIONS).index(reaction), number])
                for around, (count, temperature) in samples.items():
                    place = f"{reaction} {around} to the {kind}"
                    drawn = [_sample(rng, place, method, point, temperature) for _ in range(count)]
                    made.append(_block(reaction, place, around, point, drawn))
    provenance = record(
        source=source.model_dump(mode="json"), packages=versions(method.unused), notes=[]
    )
    return assemble(name, made, provenance)


def _points(reaction: str, method: Method) -> dict[str, Point]:
    """The stationary points of a reaction by their kinds."""
    place = f"{reaction} with {method.name}"
    reactant, product = REACTIONS[reaction].sides()
    try:
        for side in (reactant, product):
            side.calc = method.calculator()
            minimum(place, side)
        saddle = transition_state(place, reactant, product, method.calculator)
        atoms = {"reactant": reactant, "product": product, "ts": saddle}
        found = {kind: _point(place, kind, own) for kind, own in atoms.items()}
        ends = leads_to(place, saddle, found["ts"].curvature, method.calculator)
    except InputError:
        raise
    except Exception as error:  # calculators raise anything
        raise InputError(
            f"{place}: wanted its stationary points, but the calculator failed on the way "
            f"({in_words(error)}); leave this reaction out"
        ) from error
    ways = (ends, ends[::-1])
    if not any(alike(one, reactant) and alike(other, product) for one, other in ways):
        raise InputError(
            f"{place}: wanted a transition state between reactant and product, got one that leads "
            "elsewhere; leave this reaction out"
        )
    return found


def _point(place: str, kind: str, atoms: Atoms) -> Point:
    curvature = hessian(atoms)
    found = imaginary_modes(curvature, atoms.positions, atoms.get_masses())
    if found != POINTS[kind]:
        raise InputError(
            f"{place}: wanted {POINTS[kind]} imaginary modes of the {kind}, got {found}; leave "
            "this reaction out"
        )
    return Point(atoms, curvature, _labels(atoms, curvature))


def _sample(
    rng: np.random.Generator, place: str, method: Method, point: Point, temperature: float
) -> Labelled:
    """A normal-mode sample around a stationary point."""
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
        except Exception as error:  # an SCF that did not converge, for one
            failed.append(in_words(error))
    reasons = f" (it failed on some: {counted(failed)})" if failed else ""
    raise InputError(
        f"{place} with {method.name}: wanted samples less than k_B T per mode above the stationary "
        f"point, got none in {ATTEMPTS}{reasons}; lower the temperature of {temperature:g} K"
    )


def _labels(atoms: Atoms, curvature: np.ndarray) -> dict:
    labels = {"energy": atoms.get_potential_energy(), "forces": atoms.get_forces()}
    return {**labels, "hessian": blocks(curvature)}


def _block(reaction: str, place: str, kind: str, point: Point, drawn: list[Labelled]) -> Block:
    return Block(
        place=place,
        species=point.atoms.numbers,
        positions=np.array([own.positions for own in drawn]),
        labels={label: np.array([own.labels[label] for own in drawn]) for label in point.labels},
        groups=np.full(len(drawn), reaction),
        kind=kind,
    )
