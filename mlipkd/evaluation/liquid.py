"""The liquid of an element: melted, equilibrated and sampled by one member, and its energy drift.

After Matin et al., Digital Discovery 4, 2502 (2025): liquid aluminium at 1200 K. An fcc crystal at
the liquid's density is melted far above its melting point, brought to the temperature that is
wanted and kept there; then frames are taken, at constant volume throughout. All members begin with
the same positions and velocities. Last, from the final frame, the thermostat is taken off for a
while, and the total energy should stay what it is.

A run is made in pieces, and each begins with what the one before has come to and with a thermostat
at rest, so that a run which was interrupted between two of them ends with the same bits.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from statistics import fmean

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.data import atomic_masses, chemical_symbols
from ase.units import GPa

from mlipkd.config.evaluation import LiquidEvaluation
from mlipkd.datasets.dataset import Dataset
from mlipkd.deploy.ase import MLIPKD
from mlipkd.dynamics.frames import came_to_rest, dataset_of, moved
from mlipkd.dynamics.nve import run_nve
from mlipkd.dynamics.nvt import Advance, Frame, RunawayError, ase_nvt, with_velocities
from mlipkd.errors import InputError
from mlipkd.evaluation.core.rows import UNITS, Row
from mlipkd.hipnn.file import Potential
from mlipkd.jobs import provenance
from mlipkd.jobs.progress import progress
from mlipkd.jobs.resumable import Resumable
from mlipkd.units import GRAM_PER_CM3

#: Two atoms that are closer have collided, Å.
CLOSEST = 0.5
#: Pieces of each stage.
PIECES = 8

#: Opens an engine on a structure with momenta.
Open = Callable[[Atoms], AbstractContextManager[Advance]]


@dataclass
class Run:
    """One run, as far as it went."""

    equilibration: list[float] = field(default_factory=list)
    """Potential energies, eV."""
    sample: list[Frame] = field(default_factory=list)
    interval: float = 0.0
    """From one frame to the next, ps."""
    failed: str | None = None
    """The stage in which atoms collided or flew away, if they did."""
    drift: float | None = None
    """|slope of the total energy| without a thermostat, eV/atom/ps."""

    @cached_property
    def rest(self) -> int:
        """The number of the frame at which the potential energy had come to rest."""
        return came_to_rest([*self.equilibration, *(frame.energy for frame in self.sample)])


def evaluate_liquid(
    potential: Potential,
    settings: LiquidEvaluation,
    engine: str,
    resumable: Resumable | None = None,
) -> tuple[Dataset, list[Row], list[str]]:
    """What one member makes of the liquid.

    - ``failed``: 1 if two atoms collided or flew away; then there is nothing else but this.
    - ``temperature``, ``pressure``: means over the frames.
    - ``equilibrated``: when the potential energy had come to rest, counted from the beginning of
      equilibration (J. D. Chodera, J. Chem. Theory Comput. 12, 1799 (2016), by pymbar).
    - ``drift``: |slope of the total energy| without a thermostat, by least squares.

    Args:
        potential: the member.
        settings: what to do.
        engine: ``ase`` or ``lammps``.
        resumable: where to keep what is done.

    Returns:
        The frames as a dataset with the member's energies, of a failed run those before; rows; and
        notes for the reader.

    Raises:
        InputError: the model knows several elements.
        TryAgainError: it was stopped.
    """
    own = potential.metadata
    start = crystal(own["species"], settings)
    name = f"{own['family']}/{own['model']} seed {own['seed']}"

    def opened(atoms: Atoms) -> AbstractContextManager[Advance]:
        return open_engine(engine, potential, atoms, settings.timestep)

    run = melt_and_sample(opened, start, settings, name, resumable or Resumable())
    if run.failed is None:
        run.drift = drift(potential, run.sample[-1], settings, f"{name}, without thermostat")
    notes = list(_notes(run, settings, name))
    rows = [
        Row(
            own["dataset"], own["family"], own["model"], own["seed"], metric, value,
            UNITS["liquid"][metric],
        )
        for metric, value in _metrics(run)
    ]  # fmt: skip
    return _trajectory(run, start, potential, settings, engine), rows, notes


def crystal(species: list[int], settings: LiquidEvaluation) -> Atoms:
    """The fcc crystal to melt, at the liquid's density, as nearly cubic as its atoms allow.

    Its velocities are of twice the temperature of melting: half of that goes into the vibrations.

    Raises:
        InputError: there are several elements.
    """
    if len(species) != 1:
        raise InputError(
            f"liquid: expected models of one element, got the atomic numbers {species}; leave "
            "liquid out"
        )
    mass = atomic_masses[species[0]]
    side = (4 * mass / (settings.density * GRAM_PER_CM3)) ** (1 / 3)  # Å
    cells = np.ones(3, int)
    while 4 * cells.prod() < settings.atoms:
        cells[cells.argmin()] += 1
    box = bulk(chemical_symbols[species[0]], "fcc", a=side, cubic=True).repeat(cells)
    return with_velocities(box, 2 * settings.melting.temperature, [settings.seed])


def open_engine(
    engine: str, potential: Potential, start: Atoms, timestep: float
) -> AbstractContextManager[Advance]:
    """One of the engines, opened on a start."""
    if engine == "ase":
        return ase_nvt(MLIPKD(potential, potential.device), start, timestep, CLOSEST)
    # Optional, so it is looked for only here.
    from mlipkd.dynamics.nvt_lammps import lammps_nvt

    return lammps_nvt(potential, start, timestep, CLOSEST, potential.device)


def melt_and_sample(
    opened: Open, start: Atoms, settings: LiquidEvaluation, name: str, resumable: Resumable
) -> Run:
    """Melt, equilibrate and sample; ``name`` is for the bar that shows how far it is."""
    every = settings.steps(settings.duration) // settings.frames
    melting, before = (
        max(1, settings.steps(time) // every)
        for time in (settings.melting.duration, settings.equilibration)
    )
    stages = {"melting": melting, "equilibration": before, "sampling": settings.frames}
    plan = [
        (f"{stage} {piece}", stage)
        for stage, frames in stages.items()
        for piece, part in enumerate(np.array_split(np.arange(frames), PIECES))
        for _ in part
    ]
    run = Run(interval=every * settings.timestep * 1e-3)
    done, last = _restore(run, start, resumable.pieces)
    piece = None
    with ExitStack() as engine:
        try:
            for own, stage in progress(plan[done:], len(plan), name, done):
                if own != piece:
                    engine.close()
                    if piece is not None:
                        resumable.keep(_state(run, done, last))
                    piece, advance = own, engine.enter_context(opened(last))
                melts = stage == "melting"
                frame = advance((settings.melting if melts else settings).temperature, every)
                if stage == "equilibration":
                    run.equilibration.append(frame.energy)
                elif stage == "sampling":
                    run.sample.append(frame)
                done, last = done + 1, frame.atoms
        except RunawayError:
            run.failed = stage
    return run


def _state(run: Run, done: int, last: Atoms) -> dict[str, np.ndarray]:
    """A run as arrays: what was done, where it stands, and what was found."""
    return {
        "done": np.array(done),
        "last": np.array([last.positions, last.get_momenta()]),
        "equilibration": np.array(run.equilibration),
        "sample": np.array([[f.atoms.positions, f.atoms.get_momenta()] for f in run.sample]),
        "energies": np.array([frame.energy for frame in run.sample]),
        "pressures": np.array([frame.pressure for frame in run.sample]),
    }


def _restore(run: Run, start: Atoms, state: dict[str, np.ndarray]) -> tuple[int, Atoms]:
    """How many frames were done before, and the last; what was found goes into the run."""
    if not state:
        return 0, start

    run.equilibration = state["equilibration"].tolist()
    run.sample = [
        Frame(moved(start, *frame), float(energy), float(pressure))
        for frame, energy, pressure in zip(
            state["sample"], state["energies"], state["pressures"], strict=True
        )
    ]
    return int(state["done"]), moved(start, *state["last"])


def drift(potential: Potential, end: Frame, settings: LiquidEvaluation, name: str) -> float | None:
    """|slope of the total energy| without a thermostat, eV/atom/ps; none where it fails."""
    calculator = MLIPKD(potential, potential.device)
    steps = settings.steps(settings.conservation)
    (run,) = run_nve(calculator, [end.atoms], settings.timestep, steps, CLOSEST, name)
    return None if run.failed else abs(run.drift) * 1e3


def _metrics(run: Run) -> Iterator[tuple[str, float]]:
    yield "failed", float(run.failed is not None)
    if run.failed:
        return
    yield "temperature", fmean(frame.atoms.get_temperature() for frame in run.sample)
    yield "pressure", fmean(frame.pressure for frame in run.sample) / GPa
    yield "equilibrated", run.rest * run.interval
    if run.drift is not None:
        yield "drift", run.drift


def _notes(run: Run, settings: LiquidEvaluation, name: str) -> Iterator[str]:
    if run.failed:
        yield f"{name}: atoms collided or flew away in the {run.failed}"
    elif run.rest > len(run.equilibration):
        yield (
            f"{name}: the potential energy came to rest {run.rest * run.interval:.2f} ps after "
            f"melting, later than the first frame; make liquid.equilibration longer"
        )
    if run.failed is None and run.drift is None:
        yield f"{name}: atoms collided or flew away without a thermostat"


def _trajectory(
    run: Run, start: Atoms, potential: Potential, settings: LiquidEvaluation, engine: str
) -> Dataset:
    """The frames; of a run without any, where it began."""
    frames = [frame.atoms for frame in run.sample] or [start]
    energies = [frame.energy for frame in run.sample] or [np.nan]
    own = potential.metadata
    return dataset_of(
        own["dataset"],
        frames,
        energies,
        [0] * len(frames),
        provenance.record(
            masked=["energy"],
            sampled_by={key: own[key] for key in ("family", "model", "seed", "mlipkd", "commit")},
            settings=settings.model_dump(mode="json"),
            engine=engine,
            failed=run.failed,
        ),
    )
