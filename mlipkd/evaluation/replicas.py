"""Replicas of a liquid at constant temperature, by a member or by the mean of an ensemble.

After Olowookere et al. (CG-KD): each replica begins with a configuration of the dataset's test
split and with different velocities, is equilibrated and then sampled. All models begin alike. Of
an ensemble the forces are averaged at every step.
"""

from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from mlipkd.config.section import Section
from mlipkd.evaluation.core.evaluation import (
    DATASET,
    MODELS,
    Evaluation,
    Job,
    Jobs,
    Output,
    Plan,
    members_of_potentials,
)
from mlipkd.evaluation.core.rows import ENSEMBLE, Row, write_rows
from mlipkd.jobs import provenance
from mlipkd.jobs.resumable import Resumable, listen
from mlipkd.paths import EnsemblePaths, MemberPaths, ModelPaths

if TYPE_CHECKING:
    import torch
    from torch_sim.models.interface import ModelInterface

    from mlipkd.datasets.dataset import Dataset
    from mlipkd.datasets.file import DatasetFile
    from mlipkd.dynamics.trajectories import NVTRun
    from mlipkd.hipnn.file import Potential

SECONDS_PER_DAY = 86_400

METRICS = {
    "failed": "1",
    "temperature": "K",
    "equilibrated": "ps",
    "speed": "ns/day",
}


class ReplicasEvaluation(Section):
    """Many trajectories of a liquid at constant temperature, side by side.

    The liquid is the one that the dataset's configurations are of; every trained member samples
    it, and so does the ensemble of a family that others learn from."""

    temperature: PositiveFloat
    """Temperature, K."""
    replicas: PositiveInt = 8
    """Trajectories that run side by side, each with another start and other velocities."""
    equilibration: PositiveFloat = 1000.0
    """Time before the first frame, ps."""
    duration: PositiveFloat = 500.0
    """Time from the first frame to the last, ps."""
    frames: PositiveInt = 100
    """How many frames are taken of each."""
    timestep: PositiveFloat = 2.0
    """Time step, fs."""
    friction: PositiveFloat = 1.0
    """Of the Langevin thermostat, 1/ps."""
    closest: PositiveFloat = 1.0
    """Two beads or atoms that are closer have collided, Å."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the velocities and of the noise."""

    @property
    def every(self) -> int:
        """Steps from one frame to the next."""
        return round(self.duration * 1e3 / self.timestep / self.frames)

    @model_validator(mode="after")
    def _frames_fit(self) -> Self:
        if self.every < 1:
            raise ValueError(
                f"expected at least a step from frame to frame, got {self.frames} frames in "
                f"{self.duration} ps; take fewer frames or a longer duration"
            )
        return self


def run(job: Job) -> None:
    """Sample a liquid at constant temperature, in replicas side by side.

    Of several models the forces are averaged at every step. Before its time is over, and on SIGTERM
    or SIGUSR1, it stops with exit status 75; the same command goes on from there to the same bits.

    Example: mlipkd evaluate replicas --settings replicas.yaml --dataset dataset.h5 --trajectory
    replicas.h5 --output replicas.csv teachers/seed0/model.safetensors
    """
    from mlipkd.datasets.file import DatasetFile, write
    from mlipkd.evaluation.core.ensembles import dataset_source, source_of
    from mlipkd.hipnn.file import load_members
    from mlipkd.jobs.device import choose_device

    models, section = job.files["models"], job.section
    device = choose_device(job.device, job.threads)
    members = load_members(models, device)
    sources = [source_of(path, member) for path, member in zip(models, members, strict=True)]
    with DatasetFile(job.file("dataset")) as dataset:
        sources.append(dataset_source(dataset))
        identity = " ".join([section.model_dump_json(), *(source.sha256 for source in sources)])
        resumable = Resumable(job.file("trajectory"), identity, listen(job.runtime))
        frames, rows, notes = evaluate_replicas(members, dataset, section, device, resumable)
    write(frames, job.file("trajectory"))
    write_rows(job.output, rows, sources, notes)
    resumable.finish()


def evaluate_replicas(
    members: "Sequence[Potential]",
    dataset: "DatasetFile",
    settings: ReplicasEvaluation,
    device: "torch.device | str" = "cpu",
    resumable: Resumable | None = None,
) -> "tuple[Dataset, list[Row], list[str]]":
    """What a member, or several together, make of the liquid.

    - ``failed``: the fraction of the replicas in which two beads collided or one flew away.
    - ``temperature``: the mean over all frames.
    - ``equilibrated``: when the potential energy had come to rest, counted from the start; the mean
      over replicas (J. D. Chodera, J. Chem. Theory Comput. 12, 1799 (2016), by pymbar).
    - ``speed``: what all replicas together have gone through in the time that it took, ns/day.

    Args:
        members: one, or several of one model.
        dataset: whose test split gives the first frames.
        settings: what to do.
        device: where forces are computed.
        resumable: where to keep what is done.

    Returns:
        The frames of the replicas that did not fail as a dataset with the potential's energies, a
        group for each of them; rows; and notes for the reader.

    Raises:
        InputError: there are fewer configurations to begin with than replicas, they are not
            periodic, or torch-sim is not installed.
        TryAgainError: it was stopped.
    """
    from mlipkd.dynamics.sampling import replica_starts, sample_replicas
    from mlipkd.dynamics.trajectories import NVTRun, dataset_of

    metadata = members[0].metadata
    seed = metadata["seed"] if len(members) == 1 else ENSEMBLE
    name = f"{metadata['family']}/{metadata['model']} {seed}"

    def opened() -> "ModelInterface":
        from mlipkd.deploy.torch_sim import MLIPKD  # of an extra

        return MLIPKD(members, device)

    before = max(1, round(settings.equilibration * 1e3 / settings.timestep / settings.every))
    runs, seconds = sample_replicas(
        opened,
        replica_starts(dataset, settings.replicas, settings.temperature, settings.seed),
        temperature=settings.temperature,
        timestep=settings.timestep,
        friction=settings.friction * 1e-3,
        frames=before + settings.frames,
        every=settings.every,
        closest=settings.closest,
        seed=settings.seed,
        description=name,
        resumable=resumable or Resumable(),
    )
    who = metadata["dataset"], metadata["family"], metadata["model"], seed
    rows = [
        Row(*who, metric, value, METRICS[metric])
        for metric, value in _metrics(runs, before, settings, seconds)
    ]
    sampled = [NVTRun(run.start, run.frames[before:]) for run in runs if not run.failed]
    record = provenance.record(
        masked=["energy"],
        sampled_by={key: metadata[key] for key in ("family", "model", "mlipkd", "commit")}
        | {"seed": seed},
        settings=settings.model_dump(mode="json"),
        failed=None if sampled else "replicas, all of them",
    )
    frames = dataset_of(
        dataset.name, sampled or [NVTRun(run.start) for run in runs], record, dataset.beads
    )
    return frames, rows, list(_notes(runs, before, settings, name))


def _metrics(
    runs: "Sequence[NVTRun]", before: int, settings: ReplicasEvaluation, seconds: float
) -> Iterator[tuple[str, float]]:
    whole = [run for run in runs if not run.failed]
    yield "failed", 1 - len(whole) / len(runs)
    if not whole:
        return
    yield (
        "temperature",
        fmean(frame.atoms.get_temperature() for run in whole for frame in run.frames[before:]),
    )
    yield (
        "equilibrated",
        fmean(_equilibrated(run) for run in whole) * _interval(settings),
    )
    steps = sum(len(run.frames) for run in runs) * settings.every
    yield "speed", steps * settings.timestep * 1e-6 / seconds * SECONDS_PER_DAY


def _equilibrated(run: "NVTRun") -> int:
    from mlipkd.dynamics.trajectories import equilibrated_at

    return equilibrated_at([frame.energy for frame in run.frames])


def _interval(settings: ReplicasEvaluation) -> float:
    """From one frame to the next, ps."""
    return settings.every * settings.timestep * 1e-3


def _notes(
    runs: "Sequence[NVTRun]", before: int, settings: ReplicasEvaluation, name: str
) -> Iterator[str]:
    for number, run in enumerate(runs):
        passed = len(run.frames) * _interval(settings)
        if run.failed:
            yield f"{name}: replica {number} failed after {passed:.1f} ps"
        elif _equilibrated(run) > before:
            yield (
                f"{name}: the potential energy of replica {number} came to rest after the first "
                "frame; make replicas.equilibration longer"
            )


def sampled_together(plan: Plan) -> list[ModelPaths]:
    """Models whose members sample replicas together, too: ensembles that others learn from."""
    return [
        model
        for model in plan.trained
        if len(plan.members_of(model)) > 1
        and any(f.learns_from == model.family for f in plan.section(model).families.values())
    ]


def trajectories_of(plan: Plan, model: ModelPaths) -> list[str]:
    """The replicas that the members of a model sample and, if they do, all of them together."""
    together = [model.ensemble] if model in sampled_together(plan) else []
    return [sampler.frames("replicas") for sampler in (*plan.members_of(model), *together)]


REPLICAS = Evaluation(
    name="replicas",
    title="Distributions in the liquid",
    run=run,
    jobs=[
        Jobs(MemberPaths(), members_of_potentials),
        Jobs(
            EnsemblePaths(),
            lambda plan: [model.ensemble for model in sampled_together(plan)],
            rule="replicas_together",
        ),
    ],
    inputs=[DATASET, MODELS],
    outputs=[
        Output("trajectory", lambda about: about.frames("replicas"), "Frames to write, HDF5.")
    ],
    section=ReplicasEvaluation,
    threads=4,
    device=True,
    resumable=True,
    work="replicas",
)
