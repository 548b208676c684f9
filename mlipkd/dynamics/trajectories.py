"""Trajectories: velocities to start from, what a run consists of, and when it has failed.

A run at constant energy (NVE) tells how its total energy changed; a run at constant temperature
(NVT) is a series of frames. The programs that make them are in ``ase.py``, ``lammps.py`` and
``torch_sim.py``.
"""

import importlib.util
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from ase import Atoms
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution, Stationary
from vesin import NeighborList

from mlipkd.datasets.dataset import UNUSED, Bead, Dataset, offsets_from
from mlipkd.errors import InputError, remedy

#: Reach of the search for collisions beyond the closest approach, Å; its list is made anew when
#: atoms have moved by half of it. A list of so few pairs costs next to nothing to keep.
SKIN = 1.0

#: Relaxation time of the thermostat in ASE and LAMMPS, fs.
DAMPING = 100.0

#: Packages of the engines that are not always installed. Each is at least as fast as ASE wherever
#: it is used: on one core (float32, width 32, one interaction layer) a step of 8 runs of 16
#: molecules takes ASE 35 ms and torch-sim 12 ms, of four runs of 448 molecules 145 and 130 ms.
PACKAGES = {"torch-sim": "torch_sim", "lammps": "lammps"}


def choose_integrator(setting: str, alternative: str, section: str) -> str:
    """The program that integrates; for ``auto`` the alternative to ASE if it is installed.

    Args:
        setting: ``auto``, ``ase`` or the alternative.
        alternative: one of ``PACKAGES``.
        section: of the settings, for the message.

    Raises:
        InputError: the alternative is set and not installed.
    """
    package = PACKAGES[alternative]
    installed = importlib.util.find_spec(package) is not None
    if setting == alternative and not installed:
        raise InputError(
            f"{section}.engine: expected {alternative}, which is not installed; {remedy(package)}, "
            "or take engine: auto"
        )
    if setting == "auto":
        return alternative if installed else "ase"
    return setting


def with_velocities(box: Atoms, temperature: float, seed: Sequence[int]) -> Atoms:
    """A copy of the box whose atoms have Maxwell-Boltzmann velocities of a temperature, K, while
    the box as a whole stays at rest."""
    start = box.copy()
    MaxwellBoltzmannDistribution(start, temperature_K=temperature, rng=np.random.default_rng(seed))
    Stationary(start)
    return start


def with_positions_and_momenta(start: Atoms, positions: np.ndarray, momenta: np.ndarray) -> Atoms:
    """A copy of a structure with other positions, Å, and momenta: (atoms, 3) each."""
    frame = start.copy()
    frame.set_positions(positions)
    frame.set_momenta(momenta)
    return frame


@dataclass(frozen=True)
class NVERun:
    """A run at constant energy, as far as it went."""

    timestep: float
    """fs"""
    energies: np.ndarray
    """(steps + 1,) potential and kinetic energy together, at the start and after each step, eV."""
    failed: bool
    """Whether it failed; its last energy may then be anything."""
    end: Atoms
    """The structure after the last step, with its momenta."""

    @property
    def duration(self) -> float:
        """How long it lasted, fs."""
        return (len(self.energies) - 1) * self.timestep

    @property
    def drift(self) -> float:
        """Slope of the total energy by least squares, eV/atom/fs; NaN without a step."""
        if len(self.energies) < 2:
            return np.nan
        times = np.arange(len(self.energies)) * self.timestep  # (steps + 1,)
        return np.polyfit(times, self.energies, deg=1)[0] / len(self.end)


@dataclass(frozen=True)
class Frame:
    """A system at one moment."""

    atoms: Atoms
    """Positions, Å, and momenta; without a calculator."""
    energy: float
    """Potential energy, eV."""
    pressure: float = np.nan
    """Of atoms and their motion, eV/Å^3; NaN where the engine does not give it."""


class RunawayError(Exception):
    """Atoms have collided or flown away; the run cannot go on."""


#: Goes on at a temperature, K, for some steps, and returns the frame at their end. Raises
#: RunawayError. Engines with a thermostat are opened on a start and give one of these.
Advance = Callable[[float, int], Frame]


@dataclass
class NVTRun:
    """A run at constant temperature, as far as it went."""

    start: Atoms
    """With momenta."""
    frames: list[Frame] = field(default_factory=list)
    failed: bool = False
    """Whether atoms collided or flew away after the last frame."""

    @property
    def end(self) -> Atoms:
        """The last frame's structure, or the start."""
        return self.frames[-1].atoms if self.frames else self.start


class FailureWatch:
    """Tells whether a run has failed, step after step.

    It has when its energy is not finite; when two atoms are closer than they may be; or when an
    atom flies by half the cell or more in one step, and nobody can tell any longer which of its
    images it is.
    """

    def __init__(self, start: Atoms, closest: float) -> None:
        """A watch for the run that begins with this periodic structure; ``closest`` in Å."""
        self.cell, self.inverse = start.cell.array, np.linalg.inv(start.cell.array)
        self.previous = start.positions
        heights = 1 / np.linalg.norm(self.inverse, axis=0)  # (3,)
        self.farthest = heights.min() / 2
        self.search = NeighborList(cutoff=closest, full_list=False, skin=SKIN, n_threads=1)

    def has_failed(self, positions: np.ndarray, moves: np.ndarray, energy: float) -> bool:
        """Whether it has failed by now.

        Args:
            positions: (atoms, 3), Å.
            moves: (atoms, 3), velocities times the time step, Å.
            energy: potential or total, eV.
        """
        if not np.isfinite(energy) or not np.abs(moves).max(initial=0) < self.farthest:
            return True
        # Integrators put atoms back into the cell, which the search would take for a long way.
        crossed = np.rint((positions - self.previous) @ self.inverse)  # (atoms, 3)
        self.previous = positions - crossed @ self.cell
        (contacts,) = self.search.compute(self.previous, self.cell, True, quantities="i")
        return len(contacts) > 0


def equilibrated_at(energies: Sequence[float]) -> int:
    """The number of the frame from which on the potential energy is equilibrated.

    After J. D. Chodera, J. Chem. Theory Comput. 12, 1799 (2016), by pymbar.
    """
    # On import it says at length what is not installed.
    logging.getLogger("pymbar").setLevel(logging.ERROR)
    from pymbar.timeseries import detect_equilibration

    return int(detect_equilibration(np.array(energies))[0])


def dataset_of(
    name: str,
    runs: Sequence[NVTRun],
    provenance: dict,
    beads: tuple[Bead, ...] = (),
) -> Dataset:
    """The frames of periodic runs with the energies, eV, of the model that made them; of no split.

    Each run is a group. Where no run has a frame, all that there is are their starts, of unknown
    energy (NaN).

    Args:
        name: of the dataset.
        runs: whatever their atoms and cells; at least one.
        provenance: where they came from.
        beads: the species, where these are beads.
    """
    if not any(run.frames for run in runs):
        runs = [NVTRun(run.start, [Frame(run.start, np.nan)]) for run in runs]
    structures = [frame.atoms for run in runs for frame in run.frames]
    return Dataset(
        name=name,
        species=np.concatenate([atoms.numbers for atoms in structures]).astype(np.uint8),
        positions=np.concatenate([atoms.get_positions(wrap=True) for atoms in structures]),
        offsets=offsets_from(np.array([len(atoms) for atoms in structures])),
        cells=np.stack([atoms.cell.array for atoms in structures]),
        periodic=np.ones((len(structures), 3), bool),
        groups=np.repeat(np.arange(len(runs)), [len(run.frames) for run in runs]),
        splits=np.full(len(structures), UNUSED, np.uint8),
        labels={"reference": {"energy": np.array([f.energy for run in runs for f in run.frames])}},
        provenance=provenance,
        beads=beads,
    )
