"""The training loop: Adam, the rate halved on a plateau, early stopping, resuming.

Members of one architecture and recipe may train together: each on its own configurations, with its
own rate, plateau and end, in one pass over the neighbours that they share. The mini-batches are
common to all; a member counts those of a batch's configurations that are its own.

The seed decides everything that is drawn: initial weights, the split where the recipe says so, and
the order of every epoch, which is drawn anew from (seed of the first member, epoch) so that a
resumed run repeats it. Weights are selected by the validation loss with the schedule's final
weights: a measure that means the same in every epoch.

Training can be stopped, or killed, between any two mini-batches and gone on with to the same bits.
Where the memory does not hold a mini-batch, it is gone through in parts, of which the derivatives
add up to those of the whole.
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

from mlipkd.campaign.settings import TrainSettings
from mlipkd.config.recipe import LossTerm
from mlipkd.datasets.dataset import TRAIN, VALIDATION, slabs
from mlipkd.datasets.file import DatasetFile
from mlipkd.datasets.splits import apart, per_seed
from mlipkd.errors import InputError, TryAgainError
from mlipkd.hipnn.batch import Batch
from mlipkd.hipnn.file import Potential, save_potential
from mlipkd.hipnn.initial import fit_element_energies, initialise
from mlipkd.hipnn.network import HIPNN
from mlipkd.hipnn.repulsion_fit import fit_repulsion
from mlipkd.jobs import provenance
from mlipkd.jobs.progress import progress
from mlipkd.jobs.resumable import Stop, never
from mlipkd.training.checkpoint import Checkpoint, Progress, State, Underway
from mlipkd.training.data import Labels, MiniBatch, Part, TrainingData, stored
from mlipkd.training.history import History
from mlipkd.training.loss import Errors, err
from mlipkd.training.members import Members
from mlipkd.training.microbatches import compare, derive
from mlipkd.training.probes import draw

Result = TypeVar("Result")

PRECISION = {"float32": torch.float32, "float64": torch.float64}


@dataclass(frozen=True)
class Job:
    """One member to train, and where it goes."""

    settings: TrainSettings
    output: Path
    """The model file; checkpoints lie beside that of the first member until training is done."""
    history: Path
    """The JSON lines."""


def train(
    jobs: Sequence[Job],
    dataset: Path,
    device: torch.device | str = "cpu",
    checkpoint_every: float = 10.0,
    stop: Stop = never,
) -> None:
    """Train members of a family together and write their model files and histories.

    Args:
        jobs: the members; they differ by nothing but the seed.
        dataset: canonical file, with teacher labels if the recipe asks for them.
        device: where to train.
        checkpoint_every: seconds between checkpoints.
        stop: asked after every mini-batch.

    Raises:
        InputError: the members differ by more than the seed, the dataset lacks labels or
            configurations, a single configuration does not fit into memory, or training diverged
            at once.
        TryAgainError: training was stopped; the same call goes on.
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


class _Training:
    """One training in progress."""

    def __init__(self, jobs: Sequence[Job], file: DatasetFile, device: torch.device | str) -> None:
        self.jobs, self.file, self.device = jobs, file, device
        settings = [job.settings for job in jobs]
        self.recipe, self.terms = settings[0].recipe, settings[0].recipe.loss
        shape, dtype = settings[0].architecture, PRECISION[self.recipe.precision]
        splits = [file.splits] * len(jobs)
        if self.recipe.split == "per_seed":
            held_out = apart(file, file.clusters, settings[0].split)  # (configurations,)
            splits = [
                per_seed(file.splits, file.clusters, own.split, own.seed, held_out)
                for own in settings
            ]
        self.theirs = {  # (members, configurations) bool
            name: torch.from_numpy(np.stack([own == split for own in splits]))
            for name, split in (("training", TRAIN), ("validation", VALIDATION))
        }
        self.data, self.validation = (
            TrainingData(
                file, np.flatnonzero(theirs.any(0)), self.terms, shape.hard_max, dtype, device
            )
            for theirs in self.theirs.values()
        )
        own, all_of = self.theirs["training"].sum(1), self.theirs["training"].any(0).sum()
        # Each member meets as many of its own configurations in a batch as the recipe says.
        self.batch_size = round(
            self.data.batch_size(self.recipe.batch) * float(all_of / own.double().mean())
        )

        models: list[HIPNN] = []
        for job_settings, split in zip(settings, splits, strict=True):
            model = HIPNN(shape, file.species_present).to(dtype)
            initialise(model, job_settings.seed)
            if models and self.recipe.split == "shared":
                # What is fitted to the data beforehand are the buffers.
                for own, same in zip(model.buffers(), models[0].buffers(), strict=True):
                    own.copy_(same)
            else:
                _fit(model, file, np.flatnonzero(split == TRAIN))
            models.append(model.to(device))
        self.members = Members(models, self.recipe)
        rate = self.recipe.optimiser.learning_rate
        self.state = State(
            [Progress(learning_rate=rate) for _ in jobs],
            self.members.weights,
            [{} for _ in jobs],
        )
        identity = "".join(own.to_yaml() for own in settings) + file.sha256 + provenance.code()
        self.checkpoint = Checkpoint(jobs[0].output, hashlib.sha256(identity.encode()).hexdigest())
        self.histories = [History(job.history) for job in jobs]

    def run(self, checkpoint_every: float, stop: Stop) -> None:
        """Train to the end, from the checkpoint if there is one."""
        if self.checkpoint.load(self.state, self.members.adam):
            print(
                f"resuming after epoch {self.state.epoch} and {self.state.underway.batches} "
                "mini-batches",
                file=sys.stderr,
            )
        for history, member in zip(self.histories, self.state.progress, strict=True):
            history.start(member.history)
        sizes = {name: int(theirs.any(0).sum()) for name, theirs in self.theirs.items()}
        print(
            f"{sizes['training']} configurations to train on, {sizes['validation']} to validate "
            f"with; members together: {len(self.jobs)}; engine {self.members.model.engine} on "
            f"{self.device}",
            file=sys.stderr,
        )
        self.saved, self.checkpoint_every, self.stop = time.monotonic(), checkpoint_every, stop
        done, last = self.state.epoch, self.recipe.optimiser.epochs
        family = self.jobs[0].settings.family
        for epoch in progress(range(done + 1, last + 1), last, f"epochs of {family}", done):
            self._stop_the_patient()
            if not self._keep_going():
                break
            self._run_epoch(epoch)
        self._save()

    def _save(self) -> None:
        self.checkpoint.save(self.state, self.members.adam)
        self.saved = time.monotonic()

    def _save_or_stop(self) -> None:
        """Keep the state if it is time to; leave if there is a reason."""
        reason = self.stop()
        if reason or time.monotonic() - self.saved >= self.checkpoint_every:
            self._save()
        if reason:
            raise TryAgainError(
                f"{self.jobs[0].output}: stopped after epoch {self.state.epoch} and "
                f"{self.state.underway.batches} mini-batches because {reason}; the same command "
                "goes on from there"
            )

    def _keep_going(self) -> bool:
        """Leave the members that have stopped behind; whether there are others."""
        going = [
            number for number, state in enumerate(self.state.progress) if state.stopped is None
        ]
        if going:
            self.members.keep(going)
        return bool(going)

    def _stop_the_patient(self) -> None:
        for state in self.state.progress:
            waited = state.epoch - state.best_epoch
            if state.stopped is None and waited >= self.recipe.optimiser.stop_after:
                state.stopped = "no progress"

    def _run_epoch(self, epoch: int) -> None:
        began = time.monotonic() - self.state.underway.seconds
        active = self.members.active
        trained = self._train_epoch(epoch, began)
        validated = self._validate(epoch)
        seconds = time.monotonic() - began
        self.state.underway = Underway()
        for place, number in enumerate(active):
            state = self.state.progress[number]
            errors = _of_member(validated, place)
            found = sum(term.final_weight * err(term, errors[_name(term)]) for term in self.terms)
            if not np.isfinite(found):
                self._diverged(number, epoch)
                continue
            state.epoch = epoch
            state.seconds += seconds
            if found < state.best_loss:
                state.best_loss, state.best_epoch, state.best_validation = found, epoch, errors
                weights = self.members.weights[number]
                self.state.best[number] = {k: v.detach().clone() for k, v in weights.items()}
            line = {
                "epoch": epoch,
                "learning_rate": state.learning_rate,
                "validation_loss": found,
                "training": _of_member(trained, place),
                "validation": errors,
                "seconds": round(state.seconds, 3),
            }
            state.history.append(json.dumps(line))
            self.histories[number].add(state.history[-1])
            if epoch - max(state.best_epoch, state.halved_epoch) >= (
                self.recipe.optimiser.halve_after
            ):
                state.learning_rate, state.halved_epoch = state.learning_rate / 2, epoch

    def _diverged(self, number: int, epoch: int) -> None:
        settings = self.jobs[number].settings
        if not self.state.best[number]:
            raise InputError(
                f"{settings.family} seed {settings.seed}: the loss was not finite in epoch "
                f"{epoch}; lower the recipe's learning_rate"
            )
        self.state.progress[number].stopped = f"diverged in epoch {epoch}"
        print(
            f"warning: seed {settings.seed} diverged in epoch {epoch}; the best weights "
            "before are kept",
            file=sys.stderr,
        )

    def _train_epoch(self, epoch: int, began: float) -> dict[str, dict[str, list[float]]]:
        self.members.set_rates([member.learning_rate for member in self.state.progress])
        order = _generator(self.jobs[0].settings.seed, epoch)
        # Terms of weight zero are not computed: it spares derivatives where a schedule ends so.
        terms = [term for term in self.terms if term.weight_at(epoch) > 0]
        weights = [term.weight_at(epoch) for term in terms]
        underway = self.state.underway
        underway.errors = underway.errors or self._no_errors(terms)
        model, hierarchicality = self.members.model, self.recipe.regularisation.hierarchicality
        # Those that were gone through before training was interrupted are drawn and left out.
        left = islice(self.data.batches(self.batch_size, order), underway.batches, None)
        number = self.data.number_of_batches(self.batch_size)
        name = f"mini-batches of epoch {epoch}"
        for mini_batch in progress(left, number, name, underway.batches):
            derivatives, found = self._in_parts(
                "training",
                epoch,
                mini_batch,
                lambda parts: derive(model, parts, terms, weights, hierarchicality),
            )
            self.members.step(derivatives)
            for total, one in zip(underway.errors, found, strict=True):
                total.add(one)
            underway.batches, underway.seconds = underway.batches + 1, time.monotonic() - began
            self._save_or_stop()
        return self._report("training", terms, underway.errors)

    def _validate(self, epoch: int) -> dict[str, dict[str, list[float]]]:
        errors, model = self._no_errors(self.terms), self.members.model
        for mini_batch in self.validation.batches(self.batch_size):
            found = self._in_parts(
                "validation", epoch, mini_batch, lambda parts: compare(model, parts, self.terms)
            )
            for total, one in zip(errors, found, strict=True):
                total.add(one)
        return self._report("validation", self.terms, errors)

    def _no_errors(self, terms: list[LossTerm]) -> list[Errors]:
        return [Errors.none(len(self.members.active), self.device) for _ in terms]

    def _in_parts(
        self,
        split: str,
        epoch: int,
        mini_batch: MiniBatch,
        work: Callable[[list[Part]], Result],
    ) -> Result:
        """The result of work on a mini-batch, in as many parts as the memory asks for."""
        while True:
            number = min(2 ** len(self.state.halvings), len(mini_batch))
            try:
                return work(
                    [
                        Part(
                            batch,
                            labels | self._probes(split, epoch, batch, numbers),
                            self._theirs(split, numbers),
                        )
                        for batch, labels, numbers in mini_batch.parts(number)
                    ]
                )
            except torch.OutOfMemoryError as error:
                if number == len(mini_batch):
                    raise InputError(
                        f"{self.file.path}: one configuration alone does not fit into the memory "
                        f"of {self.device} for training; take a smaller model, smaller "
                        "configurations or a device with more memory"
                    ) from error
                self.state.halvings.append(epoch)
                print(
                    f"out of memory in epoch {epoch}: mini-batches are gone through in "
                    f"{2 * number} parts from now on; the steps stay the same",
                    file=sys.stderr,
                )

    def _probes(self, split: str, epoch: int, batch: Batch, numbers: torch.Tensor) -> Labels:
        """The probes of a batch's configurations, for each term that has any."""
        seed = self.jobs[0].settings.seed
        found: Labels = {}
        for term in self.terms:
            if term.probes is not None:
                fresh = term.probes.fresh and split == "training"
                sizes, which = batch.sizes.tolist(), numbers.tolist()
                v = draw(term.probes.kind, sizes, which, seed, epoch if fresh else 0)
                found["probes", term.labels] = torch.from_numpy(v).to(self.device)
        return found

    def _report(
        self, split: str, terms: list[LossTerm], sums: list[Errors]
    ) -> dict[str, dict[str, list[float]]]:
        for term, total in zip(terms, sums, strict=True):
            if not torch.as_tensor(total.count).all():
                raise InputError(
                    f"{self.file.path}: expected {term.labels} labels of {stored(term.quantity)} "
                    f"in the {split} split, got none but missing ones; label more configurations, "
                    "or remove the term"
                )
        return {_name(term): total.result() for term, total in zip(terms, sums, strict=True)}

    def _theirs(self, name: str, numbers: torch.Tensor) -> torch.Tensor | None:
        """Which of a batch's configurations are whose: (members, systems); none if all are."""
        if self.recipe.split == "shared" or len(self.members.active) == 1 == len(self.jobs):
            return None
        return self.theirs[name][self.members.active][:, numbers].to(self.device)

    def results(self) -> list[Potential]:
        """The best weights of each member, and all that is known about them."""
        return [self._result(number) for number in range(len(self.jobs))]

    def _result(self, number: int) -> Potential:
        state, settings = self.state.progress[number], self.jobs[number].settings
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
                    name: int(theirs[number].sum()) for name, theirs in self.theirs.items()
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
        """What remains to be done when the models are written."""
        for history, member in zip(self.histories, self.state.progress, strict=True):
            history.finish(member.history)
        self.checkpoint.finish()


def _fit(model: HIPNN, file: DatasetFile, configurations: np.ndarray) -> None:
    """Set what the data say before training; of their labels the energies alone are read."""
    if "energy" in file.labels["reference"]:
        parts = slabs(file.sizes[configurations])
        fit_element_energies(model, (file.read(configurations[part], ["energy"]) for part in parts))
    if model.repulsion is not None:
        fit_repulsion(model, file.read(configurations, []))


def _generator(seed: int, epoch: int) -> torch.Generator:
    """Random numbers of one epoch."""
    state = np.random.SeedSequence((seed, epoch)).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state >> 1))


def _name(term: LossTerm) -> str:
    return f"{term.labels} {term.quantity}"


def _of_member(
    report: dict[str, dict[str, list[float]]], place: int
) -> dict[str, dict[str, float]]:
    return {
        term: {measure: values[place] for measure, values in errors.items()}
        for term, errors in report.items()
    }
