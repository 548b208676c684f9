"""Replicas of a liquid at constant temperature, by a member or by the mean of an ensemble.

After Olowookere et al. (CG-KD): each replica begins with a configuration of the dataset's test
split and with velocities of its own, is brought to rest and then sampled. All models begin alike.
Of an ensemble the forces are averaged at every step.

A run is made in pieces, each with positions and velocities of the one before and noise of its own,
so that one that was interrupted between two of them ends with the same bits.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np
import torch
from ase import Atoms

from mlipkd.config.evaluation import ReplicasEvaluation
from mlipkd.datasets.dataset import TEST, Dataset, species_masses
from mlipkd.datasets.file import DatasetFile
from mlipkd.dynamics.frames import came_to_rest, dataset_of, moved
from mlipkd.dynamics.nvt import with_velocities
from mlipkd.dynamics.nvt_batch import Replica, run_nvt_batch
from mlipkd.errors import InputError
from mlipkd.evaluation.core.rows import ENSEMBLE, UNITS, Row
from mlipkd.hipnn.file import Potential
from mlipkd.jobs import provenance
from mlipkd.jobs.resumable import Resumable

if TYPE_CHECKING:
    from torch_sim.models.interface import ModelInterface

SECONDS_PER_DAY = 86_400
PIECES = 16


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
    own = members[0].metadata
    seed = own["seed"] if len(members) == 1 else ENSEMBLE
    name = f"{own['family']}/{own['model']} {seed}"
    starts = _starts(dataset, settings)
    before = max(1, round(settings.equilibration * 1e3 / settings.timestep / settings.every))
    run = _Run(starts)
    run.sample(
        lambda: _model(members, device),
        settings,
        before + settings.frames,
        name,
        resumable or Resumable(),
    )
    replicas, seconds = run.replicas, run.seconds
    rows = [
        Row(own["dataset"], own["family"], own["model"], seed, *found, UNITS["replicas"][found[0]])
        for found in _metrics(replicas, before, settings, seconds)
    ]
    whole = [replica for replica in replicas if not replica.failed]
    frames = [replica.frames[before:] for replica in whole]
    energies = [energy for replica in whole for energy in replica.energies[before:]]
    record = provenance.record(
        masked=["energy"],
        sampled_by={key: own[key] for key in ("family", "model", "mlipkd", "commit")}
        | {"seed": seed},
        settings=settings.model_dump(mode="json"),
        failed=None if whole else "replicas, all of them",
    )
    notes = list(_notes(replicas, before, settings, name))
    return _dataset(dataset, frames, starts, energies, record), rows, notes


class _Run:
    """All replicas, as far as they have gone."""

    def __init__(self, starts: Sequence[Atoms]) -> None:
        self.starts = starts
        self.replicas = [Replica() for _ in starts]
        self.seconds = 0.0

    def sample(
        self,
        opened: Callable[[], "ModelInterface"],
        settings: ReplicasEvaluation,
        frames: int,
        name: str,
        resumable: Resumable,
    ) -> None:
        """Go on from what was kept until there are so many frames of each."""
        done = self._restore(resumable.pieces)
        for piece, part in enumerate(np.array_split(np.arange(frames), PIECES)):
            running = [number for number, one in enumerate(self.replicas) if not one.failed]
            if piece < done or not len(part) or not running:
                continue
            began = time.perf_counter()
            drawn = np.random.SeedSequence((settings.seed, piece)).generate_state(1)
            found = run_nvt_batch(
                opened(),  # anew, without the neighbour lists of the piece before
                [self._end(number) for number in running],
                settings.temperature,
                settings.timestep,
                settings.friction * 1e-3,
                len(part),
                settings.every,
                settings.closest,
                int(drawn[0]),
                f"{name}, piece {piece + 1} of {PIECES}",
            )
            self.seconds += time.perf_counter() - began
            for number, one in zip(running, found, strict=True):
                own = self.replicas[number]
                own.frames += one.frames
                own.energies += one.energies
                own.failed = one.failed
            resumable.keep(self._state(piece + 1))

    def _end(self, number: int) -> Atoms:
        frames = self.replicas[number].frames
        return frames[-1] if frames else self.starts[number]

    def _state(self, done: int) -> dict[str, np.ndarray]:
        state = {"done": np.array(done), "seconds": np.array(self.seconds)}
        for number, one in enumerate(self.replicas):
            frames = [[frame.positions, frame.get_momenta()] for frame in one.frames]
            state[f"frames.{number}"] = np.array(frames)
            state[f"energies.{number}"] = np.array(one.energies)
            state[f"failed.{number}"] = np.array(one.failed)
        return state

    def _restore(self, state: dict[str, np.ndarray]) -> int:
        """How many pieces were done before."""
        if not state:
            return 0
        self.seconds = float(state["seconds"])
        for number, one in enumerate(self.replicas):
            one.frames = [moved(self.starts[number], *frame) for frame in state[f"frames.{number}"]]
            one.energies = state[f"energies.{number}"].tolist()
            one.failed = bool(state[f"failed.{number}"])
        return int(state["done"])


def _model(members: Sequence[Potential], device: torch.device | str) -> "ModelInterface":
    from mlipkd.deploy.torch_sim import MLIPKD  # of an extra

    return MLIPKD(members, device)


def _starts(dataset: DatasetFile, settings: ReplicasEvaluation) -> list[Atoms]:
    """Configurations of the test split, as far from each other as can be, with velocities."""
    test = np.flatnonzero(dataset.splits == TEST)
    if len(test) < settings.replicas:
        raise InputError(
            f"{dataset.path}: expected {settings.replicas} configurations of the test split to "
            f"begin with, got {len(test)}; ask for fewer replicas, or give the split more"
        )
    chosen = test[np.linspace(0, len(test) - 1, settings.replicas).astype(int)]
    one = dataset.read(chosen)
    if not one.periodic.all():
        raise InputError(
            f"{dataset.path}: expected periodic configurations to make replicas of, got free ones; "
            "leave replicas out"
        )
    starts = []
    for m in range(len(one)):
        atoms = slice(one.offsets[m], one.offsets[m + 1])
        start = Atoms(
            one.species[atoms],
            one.positions[atoms],
            masses=species_masses(one.species[atoms], one.beads),
            cell=one.cells[m],
            pbc=True,
        )
        starts.append(with_velocities(start, settings.temperature, [settings.seed, m]))
    return starts


def _metrics(
    replicas: Sequence[Replica], before: int, settings: ReplicasEvaluation, seconds: float
) -> Iterator[tuple[str, float]]:
    whole = [replica for replica in replicas if not replica.failed]
    yield "failed", 1 - len(whole) / len(replicas)
    if not whole:
        return
    yield "temperature", fmean(f.get_temperature() for r in whole for f in r.frames[before:])
    yield (
        "equilibrated",
        fmean(came_to_rest(replica.energies) for replica in whole) * _interval(settings),
    )
    steps = sum(len(replica.frames) for replica in replicas) * settings.every
    yield "speed", steps * settings.timestep * 1e-6 / seconds * SECONDS_PER_DAY


def _interval(settings: ReplicasEvaluation) -> float:
    """From one frame to the next, ps."""
    return settings.every * settings.timestep * 1e-3


def _notes(
    replicas: Sequence[Replica], before: int, settings: ReplicasEvaluation, name: str
) -> Iterator[str]:
    for number, replica in enumerate(replicas):
        passed = len(replica.frames) * _interval(settings)
        if replica.failed:
            yield f"{name}: replica {number} failed after {passed:.1f} ps"
        elif came_to_rest(replica.energies) > before:
            yield (
                f"{name}: the potential energy of replica {number} came to rest after the first "
                "frame; make replicas.equilibration longer"
            )


def _dataset(
    dataset: DatasetFile,
    frames: list[list[Atoms]],
    starts: list[Atoms],
    energies: list[float],
    record: dict,
) -> Dataset:
    """The frames of replicas that did not fail; where there are none, where all began."""
    groups = [number for number, own in enumerate(frames) for _ in own] or list(range(len(starts)))
    flat = [frame for own in frames for frame in own] or starts
    known = energies or [np.nan] * len(flat)
    return dataset_of(dataset.name, flat, known, groups, record, dataset.beads)
