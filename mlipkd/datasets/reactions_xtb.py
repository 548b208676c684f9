"""Built-in reference: reactants, products and transition states with GFN2-xTB, and their Hessians.

GFN2-xTB: Bannwarth, Ehlert, Grimme, J. Chem. Theory Comput. 15, 1652 (2019), by tblite. It has no
Hessians: they are central differences of forces, 0.002 Å to either side, of an SCF converged to a
hundredth of the usual. Rows of one then disagree with its columns by some 1e-3 eV/Å² where the
largest entries are about 100.

Around each stationary point there are normal-mode samples, of a mild and of a high temperature:
each mode of eigenvalue λ is displaced by a normal deviate of variance k_B T/|λ|. A sample is drawn
anew if its energy is more than k_B T per mode above the stationary point, twice the mean of a
harmonic molecule. Every group is one reaction.
"""

import numpy as np
from ase import Atoms
from ase.calculators.calculator import CalculationFailed
from ase.units import kB
from tblite.ase import TBLite

from mlipkd.calculators.hessian import hessian
from mlipkd.config.molecules import ReactionsXTB
from mlipkd.datasets.blocks import Block, assemble
from mlipkd.datasets.dataset import Dataset
from mlipkd.datasets.normal_modes import blocks, normal_modes
from mlipkd.datasets.reactions import REACTIONS
from mlipkd.datasets.stationary_points import (
    imaginary_modes,
    minimum,
    transition_state,
)
from mlipkd.errors import InputError
from mlipkd.openmp import one_thread
from mlipkd.progress import progress
from mlipkd.provenance import record

#: Convergence of the SCF, in units of the usual.
ACCURACY = 0.01
#: Imaginary modes of the stationary points.
POINTS = {"reactant": 0, "product": 0, "ts": 1}
NEAR, FAR = "near", "far"
ATTEMPTS = 200  # at a sample, before its reaction is given up


def make(name: str, source: ReactionsXTB) -> Dataset:
    """Stationary points and samples with energy, forces and Hessian, the same for the same seed.

    Raises:
        InputError: a stationary point is not found or is not of its kind, or xTB cannot follow the
            samples.
    """
    made = []
    samples = {NEAR: (source.near, source.temperature), FAR: (source.far, source.far_temperature)}
    with one_thread():
        for order in progress(range(len(source.reactions)), len(source.reactions), "reactions"):
            reaction = source.reactions[order]
            for number, (point, atoms) in enumerate(_points(reaction).items()):
                curvature = hessian(atoms)
                _refuse_other(f"{reaction} {point}", atoms, curvature, POINTS[point])
                made.append(_block(reaction, f"{reaction} {point}", point, [_labelled(atoms)]))
                rng = np.random.default_rng([source.seed, list(REACTIONS).index(reaction), number])
                for kind, (count, temperature) in samples.items():
                    place = f"{reaction} {kind} to the {point}"
                    drawn = [
                        _sample(rng, place, atoms, curvature, temperature) for _ in range(count)
                    ]
                    made.append(_block(reaction, place, kind, drawn))
    return assemble(name, made, record(source=source.model_dump(mode="json"), notes=[]))


def _calculator() -> TBLite:
    return TBLite(method="GFN2-xTB", accuracy=ACCURACY, verbosity=0)


def _points(reaction: str) -> dict[str, Atoms]:
    """The stationary points of a reaction, each with a calculator of its own."""
    reactant, product = REACTIONS[reaction].sides()
    try:
        for side in (reactant, product):
            side.calc = _calculator()
            minimum(reaction, side)
        saddle = transition_state(reaction, reactant, product, _calculator)
    except CalculationFailed as error:
        raise InputError(
            f"{reaction}: wanted its stationary points, but xTB failed on the way ({error}); "
            "leave this reaction out"
        ) from error
    return {"reactant": reactant, "product": product, "ts": saddle}


def _refuse_other(place: str, atoms: Atoms, curvature: np.ndarray, wanted: int) -> None:
    found = imaginary_modes(curvature, atoms.positions, atoms.get_masses())
    if found != wanted:
        raise InputError(
            f"{place}: wanted {wanted} imaginary modes, got {found}; leave this reaction out"
        )


def _sample(
    rng: np.random.Generator, place: str, point: Atoms, curvature: np.ndarray, temperature: float
) -> tuple[Atoms, dict]:
    """A normal-mode sample around a stationary point, and its labels."""
    eigenvalues, modes = normal_modes(curvature, point.positions, point.get_masses())
    scales = np.sqrt(kB * temperature / np.abs(eigenvalues))  # (modes,), Å √u
    highest = point.get_potential_energy() + kB * temperature * len(modes)
    for _ in range(ATTEMPTS):
        atoms = point.copy()
        atoms.positions += np.tensordot(scales * rng.normal(size=len(modes)), modes, axes=1)
        atoms.calc = _calculator()
        try:
            if atoms.get_potential_energy() < highest:
                return _labelled(atoms)
        except (CalculationFailed, RuntimeError):  # the SCF did not converge
            continue
    raise InputError(
        f"{place}: wanted samples less than k_B T per mode above the stationary point, got none in "
        f"{ATTEMPTS}; lower the temperature of {temperature:g} K"
    )


def _labelled(atoms: Atoms) -> tuple[Atoms, dict]:
    """Atoms, and their labels."""
    labels = {"energy": atoms.get_potential_energy(), "forces": atoms.get_forces()}
    return atoms, {**labels, "hessian": blocks(hessian(atoms))}


def _block(reaction: str, place: str, kind: str, drawn: list[tuple[Atoms, dict]]) -> Block:
    return Block(
        place=place,
        species=drawn[0][0].numbers,
        positions=np.array([atoms.positions for atoms, _ in drawn]),
        labels={label: np.array([own[label] for _, own in drawn]) for label in drawn[0][1]},
        groups=np.full(len(drawn), reaction),
        kind=kind,
    )
