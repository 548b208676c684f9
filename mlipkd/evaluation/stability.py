"""Stability: how many NVE trajectories of a liquid end in a collision, how soon, and how the total
energy of the others drifts, for each time step.

After Matin et al., arXiv 2503.14293: a box of CH3ONO, several time steps, runs that differ by their
velocities; a run has failed when two atoms are closer than 0.5 Å, and also, what no model should
come to, when its energy is not finite or an atom flies by half the box in one step.

All models, members and time steps begin at the same positions: molecules in their shape at rest,
packed so loosely that nothing needs to be relaxed (``dynamics/packing.py``). A relaxation by the
model would give each model another start, and its failures would answer another question.
So runs do not begin at equilibrium: a model's own bond lengths and cohesion warm or cool its
liquid, which is part of the test. The velocities of run r of seed s are the same for all
models and time steps, so that students and controls are compared pair by pair.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Literal, Self

import numpy as np
from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from mlipkd.config.section import Section
from mlipkd.errors import InputError
from mlipkd.evaluation.core.evaluation import MODELS, Evaluation, Figure, Job, Jobs
from mlipkd.evaluation.core.rows import POOLED, Row, write_rows
from mlipkd.jobs.resumable import Resumable, listen
from mlipkd.paths import ModelPaths

if TYPE_CHECKING:
    import matplotlib.figure
    from ase import Atoms

    from mlipkd.dynamics.trajectories import NVERun
    from mlipkd.evaluation.core.axes import Colours
    from mlipkd.evaluation.core.ensembles import Ensemble
    from mlipkd.hipnn.file import Potential

#: Of the interval for the fraction that fails.
CONFIDENCE = 0.95

METRICS = {
    "failed": "1",
    "failed_low": "1",
    "failed_high": "1",
    "time_to_failure": "ps",
    "drift": "eV/atom/ps",
}
#: What is varied.
TIME_STEP = "time step", "fs"


class StabilityEvaluation(Section):
    """How many NVE trajectories of a liquid end in a collision of atoms."""

    molecule: str = "CH3ONO"
    """The liquid's molecule, by its name in ASE's G2 collection."""
    molecules: PositiveInt = 448
    """How many of them are in the periodic box."""
    density: PositiveFloat = 0.99
    """Density, g/cm³; 0.99 is about that of liquid methyl nitrite, CH3ONO."""
    temperature: PositiveFloat = 300.0
    """Temperature of the first velocities, K."""
    timesteps: Annotated[tuple[PositiveFloat, ...], Field(min_length=1)] = (0.5, 1.0, 2.0)
    """Time steps, each of which all runs are made with, fs."""
    runs: PositiveInt = 10
    """Runs of each member at each time step, each with other velocities."""
    duration: PositiveFloat = 10.0
    """Length of a run that does not fail, ps."""
    closest: PositiveFloat = 0.5
    """A run in which two atoms come closer has failed, Å."""
    engine: Literal["auto", "ase", "torch-sim"] = "auto"
    """What integrates: torch-sim all runs of a member in one batch, ASE one after the other."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the packing and of the velocities."""

    @model_validator(mode="after")
    def _timesteps_differ_and_fit(self) -> Self:
        if len(set(self.timesteps)) < len(self.timesteps):
            raise ValueError(
                f"expected timesteps that differ, got {list(self.timesteps)}; keep one of each"
            )
        if max(self.timesteps) > self.duration * 1e3:
            raise ValueError(
                f"expected timesteps up to the duration of {self.duration * 1e3:g} fs, got "
                f"{max(self.timesteps):g}; make runs longer"
            )
        return self


def run(job: Job) -> None:
    """Failures, times to failure and energy drift of NVE dynamics of a liquid, for each time step.

    After any member and time step it stops, if its time is nearly over or SIGTERM or SIGUSR1 came,
    with exit status 75; the same command goes on with the others.

    Example: mlipkd evaluate stability --settings stability.yaml --output stability.csv
    teachers/seed*/model.safetensors
    """
    from mlipkd.dynamics.packing import liquid
    from mlipkd.dynamics.trajectories import choose_integrator
    from mlipkd.evaluation.core.ensembles import load_ensembles
    from mlipkd.jobs.device import choose_device

    section = job.section
    engine = choose_integrator(section.engine, "torch-sim", "stability")
    ensembles, sources = load_ensembles(job.files["models"], choose_device(job.device, job.threads))
    box = liquid(section.molecule, section.molecules, section.density, section.seed)
    identity = " ".join([section.model_dump_json(), engine, *(source.sha256 for source in sources)])
    resumable = Resumable(job.output, identity, listen(job.runtime))
    rows = evaluate_stability(box, section, engine, ensembles, resumable)
    note = f"{len(box)} atoms, packed by {box.info['packed']}; dynamics by {engine}"
    write_rows(job.output, rows, sources, [note])
    resumable.finish()


def evaluate_stability(
    box: "Atoms",
    settings: StabilityEvaluation,
    engine: str,
    ensembles: "Sequence[Ensemble]",
    resumable: Resumable | None = None,
) -> list[Row]:
    """Failures, times to failure and drifts of each member, and of all runs of all its seeds.

    For each time step:

    - ``failed``: the fraction of the runs that failed; ``failed_low`` and ``failed_high``: the
      interval of Clopper and Pearson (``exact``) that covers the probability of failure 95 times
      in 100 or more. That of all seeds takes runs for independent; where members differ much, runs
      of one member are alike and the truth is wider.
    - ``time_to_failure``: the mean over the runs that failed, ps; none where none did. Runs that
      would have failed later are not in it.
    - ``drift``: the mean over the runs that did not fail of |slope of the total energy|, by least
      squares over the whole run, eV/atom/ps; none where all failed.

    Args:
        box: the positions that all runs begin with, periodic.
        settings: temperature, time steps and length of the runs.
        engine: ``ase`` or ``torch-sim``.
        ensembles: whose members to run.
        resumable: where to keep the runs that are done.

    Raises:
        InputError: a member does not know an element of the box, or is a calculator.
        TryAgainError: it was stopped.
    """
    from mlipkd.dynamics.trajectories import with_velocities

    resumable = resumable or Resumable()
    for ensemble in ensembles:
        _refuse_unknown_elements(box, ensemble)
    rows: list[Row] = []
    for ensemble in ensembles:
        for timestep in settings.timesteps:
            outcomes = []  # of each seed: (runs, 3)
            for seed, potential in ensemble.members.items():
                name = f"{ensemble.family}/{ensemble.model} seed {seed}, {timestep:g} fs"
                if name not in resumable.pieces:
                    starts = [
                        with_velocities(box, settings.temperature, [settings.seed, seed, number])
                        for number in range(settings.runs)
                    ]
                    runs = _run(engine, potential, starts, timestep, settings, name)
                    outcome = np.array([[run.failed, run.duration, run.drift] for run in runs])
                    resumable.keep(resumable.pieces | {name: outcome})
                outcomes.append(resumable.pieces[name])
                rows += _rows(ensemble, seed, timestep, outcomes[-1])
            rows += _rows(ensemble, POOLED, timestep, np.concatenate(outcomes))
    return rows


def _run(
    engine: str,
    potential: "Potential",
    starts: "Sequence[Atoms]",
    timestep: float,
    settings: StabilityEvaluation,
    name: str,
) -> "list[NVERun]":
    steps = round(settings.duration * 1e3 / timestep)
    options = (starts, timestep, steps, settings.closest, name)
    if engine == "ase":
        from mlipkd.deploy.ase import MLIPKD
        from mlipkd.dynamics.ase import run_nve

        return run_nve(MLIPKD(potential, potential.device), *options)
    from mlipkd.deploy import torch_sim
    from mlipkd.dynamics.torch_sim import run_nve_batch

    return run_nve_batch(torch_sim.MLIPKD(potential, potential.device), *options)


def _rows(
    ensemble: "Ensemble", seed: int | str, timestep: float, runs: np.ndarray
) -> Iterator[Row]:
    """Rows about (runs, 3): failed or not, duration in fs, drift in eV/atom/fs."""
    from scipy.stats import binomtest

    failed = runs[:, 0] == 1
    test = binomtest(int(failed.sum()), len(runs))
    interval = test.proportion_ci(CONFIDENCE, method="exact")
    values = {
        "failed": failed.mean(),
        "failed_low": interval.low,
        "failed_high": interval.high,
    }
    if failed.any():
        values["time_to_failure"] = runs[failed, 1].mean() * 1e-3
    if not failed.all():
        values["drift"] = np.abs(runs[~failed, 2]).mean() * 1e3
    condition, unit = TIME_STEP
    for metric, value in values.items():
        row = ensemble.row(seed, metric, float(value), METRICS[metric])
        yield row._replace(condition=condition, at=timestep, at_unit=unit)


def _refuse_unknown_elements(box: "Atoms", ensemble: "Ensemble") -> None:
    if ensemble.species is None:
        raise InputError(
            f"stability: expected members that were trained here, got {ensemble.family}, a "
            "calculator; leave it out"
        )
    unknown = sorted(set(box.symbols[~np.isin(box.numbers, ensemble.species)]))
    if unknown:
        raise InputError(
            f"stability.molecule: expected the elements {ensemble.species} (atomic numbers) that "
            f"{ensemble.family}/{ensemble.model} was trained on, got {', '.join(unknown)}, too; "
            "choose another molecule, or leave stability out"
        )


def draw(rows: Sequence[Row], colours: "Colours") -> "matplotlib.figure.Figure":
    """Trajectories against the time step: the fraction that failed, and how long those lasted.

    Fractions are of all seeds together, with the binomial interval of 95 %; times are means and
    standard deviations over members.
    """
    from mlipkd.evaluation.core.axes import line, models_of, panels_of, values_of

    pooled = {
        (row.family, row.model, row.metric, row.at): row.value for row in rows if row.seed == POOLED
    }
    steps = sorted({row.at for row in rows if row.at is not None})
    figure, ((fractions, times),) = panels_of(1, 2)
    for family, colour in colours.items():
        models = models_of(rows, family)
        for model in models:
            name = family if len(models) == 1 else f"{family} {model}"
            low, failed, high = (
                np.array([pooled[family, model, metric, step] for step in steps])
                for metric in ("failed_low", "failed", "failed_high")
            )
            fractions.errorbar(
                steps,
                failed,
                yerr=[failed - low, high - failed],
                color=colour,
                marker="o",
                capsize=3,
                label=name,
            )
            durations = [
                (step, values_of(at_step, "time_to_failure", family, model))
                for step in steps
                for at_step in [[row for row in rows if row.at == step]]
            ]
            line(times, durations, colour, name)
    fractions.set_ylabel("fraction of trajectories failed")
    fractions.set_ylim(-0.03, 1.03)
    fractions.legend(frameon=False)
    times.set_ylabel("time to failure, ps")
    times.set_ylim(bottom=0)
    for axes in (fractions, times):
        axes.set_xlabel("time step, fs")
    return figure


STABILITY = Evaluation(
    name="stability",
    title="Stability",
    run=run,
    jobs=[Jobs(ModelPaths(), lambda plan: plan.potentials)],
    inputs=[MODELS],
    section=StabilityEvaluation,
    threads=4,
    device=True,
    resumable=True,
    work="stability",
    figures=[
        Figure(
            "stability",
            title="Stability of dynamics",
            caption="Trajectories of a liquid at constant energy, against the time step. On the "
            "left the fraction that ended in a collision of atoms, of all members together, with "
            "its binomial interval of 95 %; on the right how long these trajectories lasted, means "
            "over members with standard deviations.",
            draw=draw,
        )
    ],
)
