"""Replicas of a liquid at constant temperature, by a member or by the mean of an ensemble.

After Olowookere et al. (CG-KD): each replica begins with a configuration of the dataset's test
split and with velocities of its own, is equilibrated and then sampled. All models begin alike. Of
an ensemble the forces are averaged at every step.
"""

from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import TYPE_CHECKING

import torch

from mlipkd.config.evaluation import ReplicasEvaluation
from mlipkd.datasets.dataset import Dataset
from mlipkd.datasets.file import DatasetFile
from mlipkd.dynamics.sampling import replica_starts, sample_replicas
from mlipkd.dynamics.trajectories import NVTRun, dataset_of, equilibrated_at
from mlipkd.evaluation.core.rows import ENSEMBLE, UNITS, Row
from mlipkd.hipnn.file import Potential
from mlipkd.jobs import provenance
from mlipkd.jobs.resumable import Resumable

if TYPE_CHECKING:
    from torch_sim.models.interface import ModelInterface

SECONDS_PER_DAY = 86_400


def evaluate_replicas(
    members: Sequence[Potential],
    dataset: DatasetFile,
    settings: ReplicasEvaluation,
    device: torch.device | str = "cpu",
    resumable: Resumable | None = None,
) -> tuple[Dataset, list[Row], list[str]]:
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
        Row(*who, metric, value, UNITS["replicas"][metric])
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
    runs: Sequence[NVTRun], before: int, settings: ReplicasEvaluation, seconds: float
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


def _equilibrated(run: NVTRun) -> int:
    return equilibrated_at([frame.energy for frame in run.frames])


def _interval(settings: ReplicasEvaluation) -> float:
    """From one frame to the next, ps."""
    return settings.every * settings.timestep * 1e-3


def _notes(
    runs: Sequence[NVTRun], before: int, settings: ReplicasEvaluation, name: str
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
