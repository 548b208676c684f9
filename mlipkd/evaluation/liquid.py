"""The liquid of an element: melted, equilibrated and sampled by one member, and its energy drift.

After Matin et al., Digital Discovery 4, 2502 (2025): liquid aluminium at 1200 K. An fcc crystal at
the liquid's density is melted far above its melting point, brought to the liquid's temperature and
kept there; then frames are taken, at constant volume throughout. All members begin with the same
positions and velocities. Last, from the final frame, the thermostat is taken off for a while, and
the total energy should stay what it is.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from mlipkd.config.section import Section
from mlipkd.errors import InputError
from mlipkd.evaluation.core.evaluation import (
    MODELS,
    Evaluation,
    Job,
    Jobs,
    Output,
    members_of_potentials,
)
from mlipkd.evaluation.core.rows import Row, write_rows
from mlipkd.jobs import provenance
from mlipkd.jobs.resumable import Resumable, listen
from mlipkd.paths import MemberPaths

if TYPE_CHECKING:
    from ase import Atoms

    from mlipkd.datasets.dataset import Dataset
    from mlipkd.dynamics.trajectories import Advance, Frame
    from mlipkd.hipnn.file import Potential

#: Two atoms that are closer have collided, Å.
CLOSEST = 0.5

METRICS = {
    "failed": "1",
    "temperature": "K",
    "pressure": "GPa",
    "equilibrated": "ps",
    "drift": "eV/atom/ps",
}


class Melting(Section):
    """How a crystal becomes a liquid."""

    temperature: PositiveFloat = 3000.0
    """Far above the melting point, K."""
    duration: PositiveFloat = 10.0
    """Duration, ps."""


class LiquidEvaluation(Section):
    """The liquid of the dataset's only element, sampled by every trained member."""

    temperature: PositiveFloat
    """Temperature, K."""
    density: PositiveFloat
    """Density of the liquid, g/cm³."""
    atoms: PositiveInt = 2000
    """Atoms at least; cells of an fcc crystal are added until there are as many."""
    melting: Melting = Melting()
    """How the crystal is melted."""
    equilibration: PositiveFloat = 20.0
    """Time at the temperature before the first frame, ps."""
    duration: PositiveFloat = 50.0
    """Time from the first frame to the last, ps."""
    frames: PositiveInt = 100
    """How many frames are taken."""
    conservation: PositiveFloat = 5.0
    """Time without a thermostat, in which the drift of the total energy is measured, ps."""
    timestep: PositiveFloat = 1.0
    """Time step, fs."""
    engine: Literal["auto", "ase", "lammps"] = "auto"
    """What integrates; auto: LAMMPS where it is installed."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the velocities."""

    def steps(self, duration: float) -> int:
        """How many steps a time takes, which is given in ps."""
        return max(1, round(duration * 1e3 / self.timestep))

    @model_validator(mode="after")
    def _frames_fit(self) -> Self:
        if self.frames > self.steps(self.duration):
            raise ValueError(
                f"expected at least a step from frame to frame, got {self.frames} frames in "
                f"{self.steps(self.duration)} steps; take fewer frames or a longer duration"
            )
        return self


def run(job: Job) -> None:
    """Melt a crystal, equilibrate and sample the liquid; then measure the drift of its energy.

    Before its time is over, and on SIGTERM or SIGUSR1, it stops with exit status 75; the same
    command goes on from there to the same bits.

    Example: mlipkd evaluate liquid --settings liquid.yaml --trajectory teachers/seed0/liquid.h5
    --output liquid.csv teachers/seed0/model.safetensors
    """
    from mlipkd.datasets.file import write
    from mlipkd.dynamics.trajectories import choose_integrator
    from mlipkd.evaluation.core.ensembles import source_of
    from mlipkd.hipnn.file import load_potential
    from mlipkd.jobs.device import choose_device

    trajectory, model = job.file("trajectory"), job.file("models")
    engine = choose_integrator(job.section.engine, "lammps", "liquid")
    potential = load_potential(model, choose_device(job.device, job.threads))
    source = source_of(model, potential)
    identity = f"{job.section.model_dump_json()} {source.sha256} {engine}"
    resumable = Resumable(trajectory, identity, listen(job.runtime))
    frames, rows, notes = evaluate_liquid(potential, job.section, engine, resumable)
    write(frames, trajectory)
    note = f"{frames.sizes[0]} atoms; dynamics by {engine}"
    write_rows(job.output, rows, [source], [note, *notes])
    resumable.finish()


@dataclass
class LiquidRun:
    """The run of one member, as far as it went."""

    equilibration: "list[Frame]"
    sample: "list[Frame]"
    interval: float
    """From one frame to the next, ps."""
    failed: str | None
    """The stage in which atoms collided or flew away, if they did."""
    drift: float | None = None
    """|slope of the total energy| without a thermostat, eV/atom/ps."""

    @cached_property
    def equilibrated(self) -> int:
        """The number of the frame from which on the potential energy is equilibrated."""
        from mlipkd.dynamics.trajectories import equilibrated_at

        return equilibrated_at([frame.energy for frame in (*self.equilibration, *self.sample)])


def evaluate_liquid(
    potential: "Potential",
    settings: LiquidEvaluation,
    engine: str,
    resumable: Resumable | None = None,
) -> "tuple[Dataset, list[Row], list[str]]":
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
    from mlipkd.dynamics.sampling import energy_drift, open_nvt
    from mlipkd.dynamics.trajectories import NVTRun, dataset_of

    metadata = potential.metadata
    start = crystal(metadata["species"], settings)
    name = f"{metadata['family']}/{metadata['model']} seed {metadata['seed']}"

    def opened(atoms: "Atoms") -> "AbstractContextManager[Advance]":
        return open_nvt(engine, potential, atoms, settings.timestep, CLOSEST)

    run = melt_and_sample(opened, start, settings, name, resumable or Resumable())
    if run.failed is None:
        run.drift = energy_drift(
            potential, run.sample[-1].atoms, settings.timestep,
            settings.steps(settings.conservation), CLOSEST, f"{name}, without thermostat",
        )  # fmt: skip
    who = metadata["dataset"], metadata["family"], metadata["model"], metadata["seed"]
    rows = [Row(*who, metric, value, METRICS[metric]) for metric, value in _metrics(run)]
    keys = ("family", "model", "seed", "mlipkd", "commit")
    record = provenance.record(
        masked=["energy"],
        sampled_by={key: metadata[key] for key in keys},
        settings=settings.model_dump(mode="json"),
        engine=engine,
        failed=run.failed,
    )
    frames = dataset_of(metadata["dataset"], [NVTRun(start, run.sample)], record)
    return frames, rows, list(_notes(run, name))


def crystal(species: list[int], settings: LiquidEvaluation) -> "Atoms":
    """The fcc crystal to melt, at the liquid's density.

    Its velocities are of twice the temperature of melting: half of that goes into the vibrations.

    Raises:
        InputError: there are several elements.
    """
    from mlipkd.dynamics.sampling import fcc_crystal
    from mlipkd.dynamics.trajectories import with_velocities

    if len(species) != 1:
        raise InputError(
            f"liquid: expected models of one element, got the atomic numbers {species}; leave "
            "liquid out"
        )
    box = fcc_crystal(species[0], settings.density, settings.atoms)
    return with_velocities(box, 2 * settings.melting.temperature, [settings.seed])


def melt_and_sample(
    opened: "Callable[[Atoms], AbstractContextManager[Advance]]",
    start: "Atoms",
    settings: LiquidEvaluation,
    name: str,
    resumable: Resumable,
) -> LiquidRun:
    """Melt, equilibrate and sample; ``name`` is for the progress bar.

    Raises:
        TryAgainError: it was stopped.
    """
    from mlipkd.dynamics.sampling import Stage, sample_stages

    every = settings.steps(settings.duration) // settings.frames
    melting, equilibration = (
        max(1, settings.steps(time) // every)
        for time in (settings.melting.duration, settings.equilibration)
    )
    stages = [
        Stage("melting", settings.melting.temperature, melting),
        Stage("equilibration", settings.temperature, equilibration),
        Stage("sampling", settings.temperature, settings.frames),
    ]
    frames, failed = sample_stages(opened, start, stages, every, name, resumable)
    interval = every * settings.timestep * 1e-3
    return LiquidRun(frames["equilibration"], frames["sampling"], interval, failed)


def _metrics(run: LiquidRun) -> Iterator[tuple[str, float]]:
    from ase.units import GPa

    yield "failed", float(run.failed is not None)
    if run.failed:
        return
    yield "temperature", fmean(frame.atoms.get_temperature() for frame in run.sample)
    yield "pressure", fmean(frame.pressure for frame in run.sample) / GPa
    yield "equilibrated", run.equilibrated * run.interval
    if run.drift is not None:
        yield "drift", run.drift


def _notes(run: LiquidRun, name: str) -> Iterator[str]:
    if run.failed:
        yield f"{name}: atoms collided or flew away in the {run.failed}"
    elif run.equilibrated > len(run.equilibration):
        yield (
            f"{name}: the potential energy came to rest {run.equilibrated * run.interval:.2f} ps "
            f"after melting, later than the first frame; make liquid.equilibration longer"
        )
    if run.failed is None and run.drift is None:
        yield f"{name}: atoms collided or flew away without a thermostat"


LIQUID = Evaluation(
    name="liquid",
    title="The liquid",
    run=run,
    jobs=[Jobs(MemberPaths(), members_of_potentials)],
    inputs=[MODELS],
    outputs=[Output("trajectory", lambda about: about.frames("liquid"), "Frames to write, HDF5.")],
    section=LiquidEvaluation,
    threads=4,
    device=True,
    resumable=True,
    work="liquid",
)
