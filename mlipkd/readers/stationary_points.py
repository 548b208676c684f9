"""Stationary points of a method that gives forces: minima and transition states.

A transition state is looked for by ASE: a climbing-image nudged elastic band (Henkelman, Uberuaga,
Jónsson, J. Chem. Phys. 113, 9901 (2000)) from one minimum to the other, and from its highest image
the dimer method (Henkelman, Jónsson, J. Chem. Phys. 111, 7010 (1999)) along the Hessian's lowest
mode.
"""

from collections.abc import Callable

import numpy as np
from ase import Atoms
from ase.build import minimize_rotation_and_translation
from ase.calculators.calculator import BaseCalculator
from ase.mep import NEB, DimerControl, MinModeAtoms, MinModeTranslate
from ase.optimize import BFGS, FIRE

from mlipkd.calculators.labelling import hessian
from mlipkd.datasets.normal_modes import normal_modes
from mlipkd.errors import InputError

#: Largest force at a stationary point, eV/Å.
CONVERGED = 1e-3
STEPS = 500  # of relaxing, and of the dimer, at most

IMAGES = 7  # between the minima
SPRING = 0.5  # eV/Å²
#: The band's images are moved off lines and planes, which they would not leave by themselves.
KICK = 0.02  # Å in each direction
#: Largest force on an image when the highest begins to climb, and when it has climbed, eV/Å.
CLIMBING, CLIMBED = 0.5, 0.1
BAND_STEPS = 300  # of each of the two at most; the dimer does the rest

#: How far from a transition state its two ways down begin, Å.
ASIDE = 0.1
#: Distances that differ by less are those of one minimum, Å.
ALIKE = 0.05


def minimum(place: str, atoms: Atoms) -> Atoms:
    """Relax atoms, which have a calculator, to the minimum next to them.

    Raises:
        InputError: there is none.
    """
    if not BFGS(atoms, logfile=None).run(fmax=CONVERGED, steps=STEPS):
        raise _not_found(place, "a minimum", atoms)
    return atoms


def transition_state(
    place: str, reactant: Atoms, product: Atoms, calculator: Callable[[], BaseCalculator]
) -> Atoms:
    """The saddle point between two minima, with a separate calculator.

    Raises:
        InputError: none is found.
    """
    end = product.copy()
    minimize_rotation_and_translation(reactant, end)
    images = [*(reactant.copy() for _ in range(IMAGES + 1)), end]
    band = NEB(images, k=SPRING, method="improvedtangent")
    band.interpolate("idpp")
    rng = np.random.default_rng(0)
    for image in images:
        image.calc = calculator()
    for image in images[1:-1]:
        image.positions += rng.normal(scale=KICK, size=image.positions.shape)
    FIRE(band, logfile=None).run(fmax=CLIMBING, steps=BAND_STEPS)
    band.climb = True
    FIRE(band, logfile=None).run(fmax=CLIMBED, steps=BAND_STEPS)

    highest = int(np.argmax([image.get_potential_energy() for image in images]))
    if highest in (0, len(images) - 1):
        raise InputError(
            f"{place}: expected a transition state, found no barrier between reactant and product; "
            "leave this reaction out"
        )
    saddle = images[highest]
    # The dimer has no masses. Along a normal mode it would turn first, and of ASE (3.29) it takes
    # the curvature of the wrong end of that turn, and leaves the saddle point for long ways around.
    _, modes = np.linalg.eigh(hessian(saddle))
    settings = DimerControl(logfile=None, eigenmode_logfile=None)
    dimer = MinModeAtoms(saddle, settings, eigenmodes=[modes[:, 0].reshape(-1, 3)])
    if not MinModeTranslate(dimer, logfile=None).run(fmax=CONVERGED, steps=STEPS):
        raise _not_found(place, "a transition state", saddle)
    return saddle


def leads_to(
    place: str, saddle: Atoms, curvature: np.ndarray, calculator: Callable[[], BaseCalculator]
) -> tuple[Atoms, Atoms]:
    """The two minima that are down from a transition state, both ways along its lowest mode.

    Raises:
        InputError: a way does not end in one.
    """
    _, modes = normal_modes(curvature, saddle.positions, saddle.get_masses())
    ends = []
    for sign in (1, -1):
        end = saddle.copy()
        end.positions += sign * ASIDE * modes[0] / np.linalg.norm(modes[0])
        end.calc = calculator()
        ends.append(minimum(place, end))
    return ends[0], ends[1]


def alike(one: Atoms, other: Atoms) -> bool:
    """Whether all distances of two molecules, atom by atom the same, agree."""
    return bool(np.abs(one.get_all_distances() - other.get_all_distances()).max() < ALIKE)


def imaginary_modes(hessian: np.ndarray, positions: np.ndarray, masses: np.ndarray) -> int:
    """How many modes have an imaginary frequency; arguments are those of ``normal_modes``."""
    return int((normal_modes(hessian, positions, masses)[0] < 0).sum())


def _not_found(place: str, what: str, atoms: Atoms) -> InputError:
    force = np.linalg.norm(atoms.get_forces(), axis=1).max()
    return InputError(
        f"{place}: expected {what} with forces below {CONVERGED:g} eV/Å, got one of {force:.2g} "
        f"after {STEPS} steps; leave this reaction out"
    )
