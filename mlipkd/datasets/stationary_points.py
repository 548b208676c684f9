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
from ase.calculators.calculator import Calculator
from ase.mep import NEB, DimerControl, MinModeAtoms, MinModeTranslate
from ase.optimize import BFGS, FIRE

from mlipkd.calculators.hessian import hessian
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


def minimum(place: str, atoms: Atoms) -> Atoms:
    """Relax atoms, which have a calculator, to the minimum next to them.

    Raises:
        InputError: there is none.
    """
    if not BFGS(atoms, logfile=None).run(fmax=CONVERGED, steps=STEPS):
        raise _not_found(place, "a minimum", atoms)
    return atoms


def transition_state(
    place: str, reactant: Atoms, product: Atoms, calculator: Callable[[], Calculator]
) -> Atoms:
    """The saddle point between two minima, with a calculator of its own.

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

    saddle = max(images, key=Atoms.get_potential_energy)
    _, modes = normal_modes(hessian(saddle), saddle.positions, saddle.get_masses())
    settings = DimerControl(logfile=None, eigenmode_logfile=None)
    dimer = MinModeAtoms(saddle, settings, eigenmodes=[modes[0] / np.linalg.norm(modes[0])])
    if not MinModeTranslate(dimer, logfile=None).run(fmax=CONVERGED, steps=STEPS):
        raise _not_found(place, "a transition state", saddle)
    return saddle


def imaginary_modes(hessian: np.ndarray, positions: np.ndarray, masses: np.ndarray) -> int:
    """How many modes have an imaginary frequency; arguments are those of ``normal_modes``."""
    return int((normal_modes(hessian, positions, masses)[0] < 0).sum())


def _not_found(place: str, what: str, atoms: Atoms) -> InputError:
    force = np.linalg.norm(atoms.get_forces(), axis=1).max()
    return InputError(
        f"{place}: wanted {what} with forces below {CONVERGED:g} eV/Å, got one of {force:.2g} "
        f"after {STEPS} steps; leave this reaction out"
    )
