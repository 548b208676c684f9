"""Sampling of liquids at constant temperature, in pieces between which a run may be interrupted.

Each piece begins with what the one before has come to, with a thermostat at rest or with noise of
its own, so that a run that was interrupted between two of them ends with the same bits.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from itertools import count
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.data import atomic_masses, chemical_symbols

from mlipkd.datasets.dataset import TEST, species_masses
from mlipkd.datasets.file import DatasetFile
from mlipkd.deploy.ase import MLIPKD
from mlipkd.dynamics.ase import ase_nvt, run_nve
from mlipkd.dynamics.trajectories import (
    Advance,
    Frame,
    NVTRun,
    RunawayError,
    with_positions_and_momenta,
    with_velocities,
)
from mlipkd.errors import InputError
from mlipkd.hipnn.file import Potential
from mlipkd.jobs.progress import progress
from mlipkd.jobs.resumable import Resumable
from mlipkd.units import GRAM_PER_CM3

if TYPE_CHECKING:
    from torch_sim.models.interface import ModelInterface

#: Pieces of each stage of melting and sampling, and of replicas.
STAGE_PIECES, REPLICA_PIECES = 8, 16

Piece = TypeVar("Piece")


def sample_in_pieces(
    starts: Sequence[Atoms],
    pieces: Sequence[Piece],
    advance: Callable[[Piece, list[NVTRun]], list[NVTRun]],
    resumable: Resumable,
) -> tuple[list[NVTRun], float]:
    """Sample piece after piece, after those that were done before.

    Args:
        starts: structures with momenta, one for each run.
        pieces: what makes each piece.
        advance: makes a piece of those runs that have not failed.
        resumable: where to keep what is done.

    Returns:
        The runs, and the seconds that they took.

    Raises:
        TryAgainError: it was stopped.
    """
    runs = [NVTRun(start) for start in starts]
    done, seconds = _restore(runs, resumable.pieces)
    for number, piece in enumerate(pieces[done:], start=done + 1):
        running = [run for run in runs if not run.failed]
        if not running:
            break
        began = time.perf_counter()
        parts = advance(piece, running)
        seconds += time.perf_counter() - began
        for run, part in zip(running, parts, strict=True):
            run.frames += part.frames
            run.failed = part.failed
        resumable.keep(_arrays(runs, number, seconds))
    return runs, seconds


def _arrays(runs: Sequence[NVTRun], done: int, seconds: float) -> dict[str, np.ndarray]:
    """The saved state of runs: pieces that are done, how long they took, and the frames."""
    arrays = {"done": np.array(done), "seconds": np.array(seconds)}
    for number, run in enumerate(runs):
        states = [[frame.atoms.positions, frame.atoms.get_momenta()] for frame in run.frames]
        arrays[f"states.{number}"] = np.array(states)  # (frames, 2, atoms, 3)
        values = [[frame.energy, frame.pressure] for frame in run.frames]
        arrays[f"values.{number}"] = np.array(values)  # (frames, 2)
        arrays[f"failed.{number}"] = np.array(run.failed)
    return arrays


def _restore(runs: Sequence[NVTRun], arrays: dict[str, np.ndarray]) -> tuple[int, float]:
    """Give runs the saved frames; how many pieces were done, and how long they took."""
    if not arrays:
        return 0, 0.0
    for number, run in enumerate(runs):
        states, values = arrays[f"states.{number}"], arrays[f"values.{number}"].tolist()
        run.frames = [
            Frame(with_positions_and_momenta(run.start, *state), *of_frame)
            for state, of_frame in zip(states, values, strict=True)
        ]
        run.failed = bool(arrays[f"failed.{number}"])
    return int(arrays["done"]), float(arrays["seconds"])


def _split(frames: int, pieces: int) -> list[int]:
    """How many frames each piece has: as many as any other, or one more."""
    return [len(part) for part in np.array_split(np.arange(frames), pieces) if len(part)]


class Stage(NamedTuple):
    """A part of a run at one temperature."""

    name: str
    temperature: float
    """K"""
    frames: int


def sample_stages(
    opened: Callable[[Atoms], AbstractContextManager[Advance]],
    start: Atoms,
    stages: Sequence[Stage],
    every: int,
    description: str,
    resumable: Resumable,
) -> tuple[dict[str, list[Frame]], str | None]:
    """Take one system through stages at different temperatures.

    Args:
        opened: opens an engine on a structure with momenta.
        start: with momenta.
        stages: one after the other.
        every: steps from one frame to the next.
        description: of the progress bar.
        resumable: where to keep what is done.

    Returns:
        The frames of each stage, as far as it went; and the stage in which atoms collided or flew
        away, if they did.

    Raises:
        TryAgainError: it was stopped.
    """
    pieces = [
        stage._replace(frames=frames)
        for stage in stages
        for frames in _split(stage.frames, STAGE_PIECES)
    ]
    total = sum(stage.frames for stage in stages)
    bar = None

    def advance(piece: Stage, running: list[NVTRun]) -> list[NVTRun]:
        nonlocal bar
        (whole,) = running
        bar = bar or progress(count(), total, description, len(whole.frames))
        part = NVTRun(whole.end)
        with opened(whole.end) as engine:
            try:
                for _ in range(piece.frames):
                    next(bar)
                    part.frames.append(engine(piece.temperature, every))
            except RunawayError:
                part.failed = True
        return [part]

    (run,), _ = sample_in_pieces([start], pieces, advance, resumable)
    ends = np.cumsum([stage.frames for stage in stages]).tolist()
    frames = {
        stage.name: run.frames[end - stage.frames : end]
        for stage, end in zip(stages, ends, strict=True)
    }
    failed = next(
        (s.name for s, end in zip(stages, ends, strict=True) if len(run.frames) < end), None
    )
    return frames, failed


def fcc_crystal(element: int, density: float, atoms: int) -> Atoms:
    """A crystal at a liquid's density, to melt, as nearly cubic as its atoms allow.

    Args:
        element: atomic number.
        density: g/cm^3.
        atoms: at least.
    """
    side = (4 * atomic_masses[element] / (density * GRAM_PER_CM3)) ** (1 / 3)  # Å
    cells = np.ones(3, int)
    while 4 * cells.prod() < atoms:
        cells[cells.argmin()] += 1
    return bulk(chemical_symbols[element], "fcc", a=side, cubic=True).repeat(cells)


def open_nvt(
    engine: str, potential: Potential, start: Atoms, timestep: float, closest: float
) -> AbstractContextManager[Advance]:
    """ASE or LAMMPS for constant temperature, opened on a start.

    Args:
        engine: ``ase`` or ``lammps``.
        potential: whose forces.
        start: periodic structure with momenta; for LAMMPS, of one element and right angles.
        timestep: fs.
        closest: atoms that come closer have collided, Å.
    """
    if engine == "ase":
        return ase_nvt(MLIPKD(potential, potential.device), start, timestep, closest)
    # Optional, so it is looked for only here.
    from mlipkd.dynamics.lammps import lammps_nvt

    return lammps_nvt(potential, start, timestep, closest, potential.device)


def energy_drift(
    potential: Potential,
    start: Atoms,
    timestep: float,
    steps: int,
    closest: float,
    description: str,
) -> float | None:
    """|slope of the total energy| without a thermostat, eV/atom/ps; none where the run fails.

    Arguments are those of ``run_nve``.
    """
    calculator = MLIPKD(potential, potential.device)
    (run,) = run_nve(calculator, [start], timestep, steps, closest, description)
    return None if run.failed else abs(run.drift) * 1e3


def replica_starts(
    dataset: DatasetFile, replicas: int, temperature: float, seed: int
) -> list[Atoms]:
    """Configurations of the test split, spread evenly over it, with velocities of a temperature.

    Args:
        dataset: of one periodic liquid.
        replicas: how many.
        temperature: K.
        seed: of the velocities.

    Raises:
        InputError: there are fewer configurations than replicas, or they are not periodic.
    """
    test = np.flatnonzero(dataset.splits == TEST)
    if len(test) < replicas:
        raise InputError(
            f"{dataset.path}: expected {replicas} configurations of the test split to "
            f"begin with, got {len(test)}; ask for fewer replicas, or give the split more"
        )
    chosen = dataset.read(test[np.linspace(0, len(test) - 1, replicas).astype(int)])
    if not chosen.periodic.all():
        raise InputError(
            f"{dataset.path}: expected periodic configurations to make replicas of, got free ones; "
            "leave replicas out"
        )
    starts = []
    for number in range(replicas):
        atoms = slice(chosen.offsets[number], chosen.offsets[number + 1])
        start = Atoms(
            chosen.species[atoms],
            chosen.positions[atoms],
            masses=species_masses(chosen.species[atoms], chosen.beads),
            cell=chosen.cells[number],
            pbc=True,
        )
        starts.append(with_velocities(start, temperature, [seed, number]))
    return starts


def sample_replicas(
    opened: Callable[[], "ModelInterface"],
    starts: Sequence[Atoms],
    temperature: float,
    timestep: float,
    friction: float,
    frames: int,
    every: int,
    closest: float,
    seed: int,
    description: str,
    resumable: Resumable,
) -> tuple[list[NVTRun], float]:
    """Replicas side by side, and the seconds that they took.

    Args:
        opened: makes the model anew, without the neighbour lists of the piece before.
        resumable: where to keep what is done.

    The other arguments are those of ``run_langevin_batch``.

    Raises:
        TryAgainError: it was stopped.
    """
    # Optional, so it is looked for only here.
    from mlipkd.dynamics.torch_sim import run_langevin_batch

    def advance(piece: tuple[int, int], running: list[NVTRun]) -> list[NVTRun]:
        number, length = piece
        noise = np.random.SeedSequence((seed, number)).generate_state(1)
        return run_langevin_batch(
            opened(), [run.end for run in running], temperature, timestep, friction, length, every,
            closest, int(noise[0]), f"{description}, piece {number + 1} of {REPLICA_PIECES}",
        )  # fmt: skip

    pieces = list(enumerate(_split(frames, REPLICA_PIECES)))
    return sample_in_pieces(starts, pieces, advance, resumable)
