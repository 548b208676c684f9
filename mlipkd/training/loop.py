"""The training loop: Adam, the rate halved on a plateau, early stopping, resuming.

Members of one architecture and recipe may train together: each on its own configurations, with its
own rate, plateau and end, in one pass over the neighbours that they share. The mini-batches are
common to all; a member learns from those of their configurations that are in its split.

The seed decides everything that is drawn: initial weights, the split where the recipe says so, and
the order of every epoch, which is drawn anew from (seed of the first member, epoch) so that a
resumed run repeats it. Weights are selected by the validation loss with the schedule's final
weights: a measure that means the same in every epoch.

Training can be stopped, or killed, between any two mini-batches and resumed to the same bits. Where
memory does not hold a mini-batch, its gradients are added up over microbatches.
"""

import hashlib
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch

from mlipkd.config.recipe import LossTerm
from mlipkd.config.settings import TrainSettings
from mlipkd.datasets.dataset import TRAIN, VALIDATION
from mlipkd.datasets.file import DatasetFile
from mlipkd.errors import InputError, TryAgainError
from mlipkd.hipnn.engines import engine_name
from mlipkd.hipnn.file import Potential, save_potential
from mlipkd.jobs import provenance
from mlipkd.jobs.progress import progress
from mlipkd.jobs.resumable import Stop, never
from mlipkd.training.checkpoint import Checkpoint, EpochState, MemberState, State
from mlipkd.training.data import Microbatch, MiniBatch, TrainingData
from mlipkd.training.history import History
from mlipkd.training.loss import Errors, Residuals, err
from mlipkd.training.members import PRECISION, Members, initial_models, member_splits
from mlipkd.training.microbatches import compare, differentiate

Result = TypeVar("Result")

#: RMSE and MAE of each member, by the name of the term.
Report = dict[str, list[dict[str, float]]]


@dataclass(frozen=True)
class TrainingJob:
    """One member to train, and the files to write."""

    settings: TrainSettings
    output: Path
    """The model file; the checkpoints of all members lie next to that of the first."""
    history: Path
    """The learning curve, JSON lines."""


def train(
    jobs: Sequence[TrainingJob],
    dataset: Path,
    device: torch.device | str = "cpu",
    checkpoint_every: float = 10.0,
    stop: Stop = never,
) -> None:
    """Train members of a family together and write their model files and histories.

    Args:
        jobs: the members; they differ by nothing but the seed.
        dataset: canonical file, with teacher labels if the recipe needs them.
        device: where to train.
        checkpoint_every: seconds between checkpoints.
        stop: called after every mini-batch, to ask whether to stop.

    Raises:
        InputError: the members differ by more than the seed, the dataset lacks labels or
            configurations, a single configuration does not fit into memory, or training diverged
            at once.
        TryAgainError: training was stopped; the same call resumes it.
    """
    first, *others = (job.settings for job in jobs)
    for other in others:
        if other.model_copy(update={"seed": first.seed}) != first:
            raise InputError(
                f"{jobs[0].output}: expected members that differ by the seed alone to train "
                f"together, got {first.family} and {other.family} with other settings; train them "
                "one by one"
            )
    with DatasetFile(dataset) as file:
        training = _Training(jobs, file, device)
        training.run(checkpoint_every, stop)
        for job, potential in zip(jobs, training.results(), strict=True):
            save_potential(potential, job.output)
    training.finish()


@dataclass(frozen=True)
class _Split:
    """The configurations that members train on, or those that they validate with."""

    name: str
    member_mask: torch.Tensor
    """(members, configurations) bool: which configurations of the file each member has."""
    data: TrainingData
    """Those of any member."""

    @property
    def size(self) -> int:
        """How many configurations all members have together."""
        return int(self.member_mask.any(0).sum())

    @property
    def members_ratio(self) -> float:
        """How many times more configurations all members have together than one of them."""
        return float(self.member_mask.any(0).sum() / self.member_mask.sum(1).double().mean())


class _Training:
    """The training of some members."""

    def __init__(
        self, jobs: Sequence[TrainingJob], file: DatasetFile, device: torch.device | str
    ) -> None:
        self.jobs, self.file, self.device = jobs, file, device
        settings = [job.settings for job in jobs]
        self.recipe, self.terms = settings[0].recipe, settings[0].recipe.loss
        self.seed = settings[0].seed

        splits = member_splits(settings, file)
        self.training = self._split("training", TRAIN, splits)
        self.validation = self._split("validation", VALIDATION, splits)
        # A mini-batch has as many configurations of each member as the recipe says.
        size = self.training.data.batch_size(self.recipe.batch)
        self.batch_size = round(size * self.training.members_ratio)

        models = [model.to(device) for model in initial_models(settings, file, splits)]
        self.members = Members(models, self.recipe)
        rate = self.recipe.optimiser.learning_rate
        self.state = State(
            [MemberState(learning_rate=rate) for _ in jobs],
            self.members.weights,
            [{} for _ in jobs],
        )
        identity = "".join(one.to_yaml() for one in settings) + file.sha256 + provenance.code()
        self.checkpoint = Checkpoint(jobs[0].output, hashlib.sha256(identity.encode()).hexdigest())
        self.histories = [History(job.history) for job in jobs]

    def _split(self, name: str, value: int, splits: list[np.ndarray]) -> _Split:
        mask = torch.from_numpy(np.stack([split == value for split in splits]))
        cutoff = self.jobs[0].settings.architecture.hard_max
        data = TrainingData(
            self.file,
            np.flatnonzero(mask.any(0)),
            self.terms,
            cutoff,
            PRECISION[self.recipe.precision],
            self.device,
        )
        return _Split(name, mask, data)

    def run(self, checkpoint_every: float, stop: Stop) -> None:
        """Train to the end, from the checkpoint if there is one."""
        if self.checkpoint.load(self.state, self.members.adam):
            print(
                f"resuming after epoch {self.state.epoch} and {self.state.current_epoch.batches} "
                "mini-batches",
                file=sys.stderr,
            )
        for history, member in zip(self.histories, self.state.members, strict=True):
            history.start(member.history)
        print(
            f"{self.training.size} configurations to train on, {self.validation.size} to validate "
            f"with; members together: {len(self.jobs)}; engine {engine_name(self.device)} on "
            f"{self.device}",
            file=sys.stderr,
        )
        self.saved_at, self.checkpoint_every, self.stop = time.monotonic(), checkpoint_every, stop
        done, last = self.state.epoch, self.recipe.optimiser.epochs
        family = self.jobs[0].settings.family
        for epoch in progress(range(done + 1, last + 1), last, f"epochs of {family}", done):
            self._stop_without_progress()
            active = [n for n, member in enumerate(self.state.members) if member.stopped is None]
            if not active:
                break
            self.members.keep(active)
            self._run_epoch(epoch)
        self._save()

    def _save(self) -> None:
        self.checkpoint.save(self.state, self.members.adam)
        self.saved_at = time.monotonic()

    def _save_or_stop(self) -> None:
        """Save the state if it is time to, and stop if there is a reason."""
        reason = self.stop()
        if reason or time.monotonic() - self.saved_at >= self.checkpoint_every:
            self._save()
        if reason:
            raise TryAgainError(
                f"{self.jobs[0].output}: stopped after epoch {self.state.epoch} and "
                f"{self.state.current_epoch.batches} mini-batches because {reason}; the same "
                "command goes on from there"
            )

    def _stop_without_progress(self) -> None:
        for member in self.state.members:
            waited = member.epoch - member.best_epoch
            if member.stopped is None and waited >= self.recipe.optimiser.stop_after:
                member.stopped = "no progress"

    def _run_epoch(self, epoch: int) -> None:
        start = time.monotonic() - self.state.current_epoch.seconds
        trained = self._train_epoch(epoch, start)
        validated = self._validate(epoch)
        seconds = time.monotonic() - start
        self.state.current_epoch = EpochState()
        for place, number in enumerate(self.members.active):
            training, validation = (
                {name: errors[place] for name, errors in report.items()}
                for report in (trained, validated)
            )
            self._end_epoch(number, epoch, seconds, training, validation)

    def _end_epoch(
        self,
        number: int,
        epoch: int,
        seconds: float,
        training: dict[str, dict[str, float]],
        validation: dict[str, dict[str, float]],
    ) -> None:
        """Keep the best weights of a member, write its history, and halve its rate on a plateau."""
        member = self.state.members[number]
        loss = sum(term.final_weight * err(term, validation[term.name]) for term in self.terms)
        if not np.isfinite(loss):
            self._diverged(number, epoch)
            return
        member.epoch = epoch
        member.seconds += seconds
        if loss < member.best_loss:
            member.best_loss, member.best_epoch, member.best_validation = loss, epoch, validation
            weights = self.members.weights[number]
            self.state.best[number] = {k: v.detach().clone() for k, v in weights.items()}
        line = {
            "epoch": epoch,
            "learning_rate": member.learning_rate,
            "validation_loss": loss,
            "training": training,
            "validation": validation,
            "seconds": round(member.seconds, 3),
        }
        member.history.append(json.dumps(line))
        self.histories[number].add(member.history[-1])
        waited = epoch - max(member.best_epoch, member.halved_epoch)
        if waited >= self.recipe.optimiser.halve_after:
            member.learning_rate, member.halved_epoch = member.learning_rate / 2, epoch

    def _diverged(self, number: int, epoch: int) -> None:
        settings = self.jobs[number].settings
        if not self.state.best[number]:
            raise InputError(
                f"{settings.family} seed {settings.seed}: the loss was not finite in epoch "
                f"{epoch}; lower the recipe's learning_rate"
            )
        self.state.members[number].stopped = f"diverged in epoch {epoch}"
        print(
            f"warning: seed {settings.seed} diverged in epoch {epoch}; the best weights "
            "before are kept",
            file=sys.stderr,
        )

    def _train_epoch(self, epoch: int, start: float) -> Report:
        self.members.set_rates([member.learning_rate for member in self.state.members])
        # Terms of weight zero are not computed: it saves derivatives where a schedule ends so.
        terms = [term for term in self.terms if term.weight_at(epoch) > 0]
        weights = [term.weight_at(epoch) for term in terms]
        model, hierarchicality = self.members.model, self.recipe.regularisation.hierarchicality
        current, data = self.state.current_epoch, self.training.data
        current.errors = current.errors or self._no_errors(terms)
        # Mini-batches done before training was interrupted are drawn again and skipped.
        batches = data.batches(self.batch_size, epoch_generator(self.seed, epoch))
        remaining = islice(batches, current.batches, None)
        number, name = data.number_of_batches(self.batch_size), f"mini-batches of epoch {epoch}"
        for mini_batch in progress(remaining, number, name, current.batches):
            gradients, residuals = self._in_microbatches(
                self.training,
                epoch,
                mini_batch,
                lambda parts: differentiate(model, parts, terms, weights, hierarchicality),
            )
            self.members.step(gradients)
            _add(current.errors, residuals)
            current.batches, current.seconds = current.batches + 1, time.monotonic() - start
            self._save_or_stop()
        return self._report(self.training, terms, current.errors)

    def _validate(self, epoch: int) -> Report:
        errors, model = self._no_errors(self.terms), self.members.model
        for mini_batch in self.validation.data.batches(self.batch_size):
            residuals = self._in_microbatches(
                self.validation,
                epoch,
                mini_batch,
                lambda parts: compare(model, parts, self.terms),
            )
            _add(errors, residuals)
        return self._report(self.validation, self.terms, errors)

    def _no_errors(self, terms: list[LossTerm]) -> list[Errors]:
        return [Errors.none(len(self.members.active), self.device) for _ in terms]

    def _in_microbatches(
        self,
        split: _Split,
        epoch: int,
        mini_batch: MiniBatch,
        work: Callable[[list[Microbatch]], Result],
    ) -> Result:
        """The result of work on a mini-batch, in as many microbatches as memory asks for."""
        while True:
            number = min(2 ** len(self.state.halvings), len(mini_batch))
            try:
                return work(self._microbatches(split, epoch, mini_batch, number))
            except torch.OutOfMemoryError as error:
                if number == len(mini_batch):
                    raise InputError(
                        f"{self.file.path}: one configuration alone does not fit into the memory "
                        f"of {self.device} for training; take a smaller model, smaller "
                        "configurations or a device with more memory"
                    ) from error
                self.state.halvings.append(epoch)
                print(
                    f"out of memory in epoch {epoch}: mini-batches are computed in "
                    f"{2 * number} parts from now on; the steps stay the same",
                    file=sys.stderr,
                )

    def _microbatches(
        self, split: _Split, epoch: int, mini_batch: MiniBatch, number: int
    ) -> list[Microbatch]:
        """With member masks, where members differ, and probes: fresh ones only in training."""
        mask = None
        if self.recipe.split == "per_seed" and len(self.jobs) > 1:
            mask = split.member_mask[self.members.active]
        fresh = epoch if split is self.training else None
        return [
            part.of_members(mask).with_probes(self.terms, self.seed, fresh)
            for part in mini_batch.microbatches(number)
        ]

    def _report(self, split: _Split, terms: list[LossTerm], errors: list[Errors]) -> Report:
        for term, total in zip(terms, errors, strict=True):
            if not torch.as_tensor(total.count).all():
                raise InputError(
                    f"{self.file.path}: expected {term.labels} labels of {term.label} in the "
                    f"{split.name} split, got none but missing ones; label more configurations, "
                    "or remove the term"
                )
        return {term.name: total.of_members() for term, total in zip(terms, errors, strict=True)}

    def results(self) -> list[Potential]:
        """The best weights of each member, and all that is known about them."""
        return [self._result(number) for number in range(len(self.jobs))]

    def _result(self, number: int) -> Potential:
        state, settings = self.state.members[number], self.jobs[number].settings
        model = self.members.single(number, self.state.best[number])
        metadata = {
            "dataset": settings.dataset,
            "dataset_sha256": self.file.sha256,
            "base_dataset_sha256": self.file.base_sha256,
            "family": settings.family,
            "model": settings.architecture.name,
            "seed": settings.seed,
            "architecture": settings.architecture.model_dump(),
            "species": list(model.species),
            "training": {
                "recipe": self.recipe.model_dump(mode="json"),
                "together_with": [job.settings.seed for job in self.jobs if len(self.jobs) > 1],
                "configurations": {
                    split.name: int(split.member_mask[number].sum())
                    for split in (self.training, self.validation)
                },
                "epochs": state.epoch,
                "best_epoch": state.best_epoch,
                "best_loss": state.best_loss,
                "validation": state.best_validation,
                "stopped": state.stopped or "epochs",
                "out_of_memory_in_epochs": self.state.halvings,
                "seconds": round(state.seconds, 1),
            },
        }
        return Potential(model, provenance.record(**metadata))

    def finish(self) -> None:
        """Write the histories, when the models are written."""
        for history, member in zip(self.histories, self.state.members, strict=True):
            history.finish(member.history)
        self.checkpoint.finish()


def epoch_generator(seed: int, epoch: int) -> torch.Generator:
    """Random numbers for the order of one epoch."""
    state = np.random.SeedSequence((seed, epoch)).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state >> 1))


def _add(errors: list[Errors], residuals: list[Residuals]) -> None:
    for total, term_residuals in zip(errors, residuals, strict=True):
        total.add(term_residuals)
