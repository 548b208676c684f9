"""The training loop: Adam, the rate halved on a plateau, early stopping, resuming.

Members of one architecture and recipe may train together: each on its own configurations, with its
own rate, plateau and end, in one pass over the neighbours that they share. The mini-batches are
common to all; a member counts those of a batch's configurations that are its own.

The seed decides everything that is drawn: initial weights, the split where the recipe says so, and
the order of every epoch, which is drawn anew from (seed of the first member, epoch) so that a
resumed run repeats it. Weights are selected by the validation loss with the schedule's final
weights: a measure that means the same in every epoch.
"""

import hashlib
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from mlipkd import provenance
from mlipkd.config.recipe import LossTerm
from mlipkd.config.settings import TrainSettings
from mlipkd.datasets.dataset import TRAIN, VALIDATION
from mlipkd.datasets.file import DatasetFile
from mlipkd.datasets.splits import per_seed
from mlipkd.errors import InputError
from mlipkd.hipnn.file import Potential, save_potential
from mlipkd.hipnn.initial import fit_element_energies, initialise
from mlipkd.hipnn.network import HIPNN
from mlipkd.progress import progress as show_progress
from mlipkd.training.checkpoint import Checkpoint, Progress
from mlipkd.training.data import TrainingData, stored
from mlipkd.training.history import History
from mlipkd.training.loss import Errors, gradients, loss, residuals
from mlipkd.training.members import Members

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
) -> None:
    """Train members of a family together and write their model files and histories.

    Args:
        jobs: the members; they differ by nothing but the seed.
        dataset: canonical file, with teacher labels if the recipe asks for them.
        device: where to train.
        checkpoint_every: seconds between checkpoints; they are written at the end of an epoch.

    Raises:
        InputError: the members differ by more than the seed, the dataset lacks labels or
            configurations, or training diverged at once.
    """
    first, *others = (job.settings for job in jobs)
    for other in others:
        if other.model_copy(update={"seed": first.seed}) != first:
            raise InputError(
                f"{jobs[0].output}: wanted members that differ by the seed alone to train "
                f"together, got {first.family} and {other.family} with other settings; train them "
                "one by one"
            )
    with DatasetFile(dataset) as file:
        training = _Training(jobs, file, device)
        training.run(checkpoint_every)
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
            splits = [per_seed(file.splits, file.clusters, own.split, own.seed) for own in settings]
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

        models = []
        for job_settings, split in zip(settings, splits, strict=True):
            model = HIPNN(shape, file.species_present).to(dtype)
            initialise(model, job_settings.seed)
            if "energy" in file.labels["reference"]:
                fit_element_energies(model, file.read(np.flatnonzero(split == TRAIN)))
            models.append(model.to(device))
        self.members = Members(models, self.recipe)
        rate = self.recipe.optimiser.learning_rate
        self.progress = [Progress(learning_rate=rate) for _ in jobs]
        self.best: list[dict[str, torch.Tensor]] = [{} for _ in jobs]
        identity = "".join(own.to_yaml() for own in settings)
        identity += file.sha256 + provenance.__version__
        self.checkpoint = Checkpoint(jobs[0].output, hashlib.sha256(identity.encode()).hexdigest())
        self.histories = [History(job.history) for job in jobs]

    def run(self, checkpoint_every: float) -> None:
        """Train to the end, from the checkpoint if there is one."""
        resumed = self.checkpoint.load(self.members.weights, self.members.adam)
        if resumed is not None:
            self.progress, self.best = resumed
            print(f"resuming after epoch {self._epoch}", file=sys.stderr)
        for history, state in zip(self.histories, self.progress, strict=True):
            history.start(state.epoch)
        sizes = {name: int(theirs.any(0).sum()) for name, theirs in self.theirs.items()}
        print(
            f"{sizes['training']} configurations to train on, {sizes['validation']} to validate "
            f"with; members together: {len(self.jobs)}; engine {self.members.model.engine} on "
            f"{self.device}",
            file=sys.stderr,
        )
        saved = time.monotonic()
        epochs = range(self._epoch + 1, self.recipe.optimiser.epochs + 1)
        family = self.jobs[0].settings.family
        for epoch in show_progress(epochs, len(epochs), f"training {family}"):
            self._stop_the_patient()
            if not self._keep_going():
                break
            self._run_epoch(epoch)
            if time.monotonic() - saved >= checkpoint_every:
                self.checkpoint.save(
                    self.progress, self.members.weights, self.best, self.members.adam
                )
                saved = time.monotonic()

    @property
    def _epoch(self) -> int:
        """How far the member that trains longest has come."""
        return max(state.epoch for state in self.progress)

    def _keep_going(self) -> bool:
        """Leave the members that have stopped behind; whether there are others."""
        going = [number for number, state in enumerate(self.progress) if state.stopped is None]
        if going:
            self.members.keep(going)
        return bool(going)

    def _stop_the_patient(self) -> None:
        for state in self.progress:
            waited = state.epoch - state.best_epoch
            if state.stopped is None and waited >= self.recipe.optimiser.stop_after:
                state.stopped = "no progress"

    def _run_epoch(self, epoch: int) -> None:
        began = time.monotonic()
        active = self.members.active
        rates = [state.learning_rate for state in self.progress]
        trained = self._train_epoch(epoch, rates)
        validated = self._validate()
        seconds = time.monotonic() - began
        for place, number in enumerate(active):
            state = self.progress[number]
            errors = _of_member(validated, place)
            found = sum(
                term.final_weight * sum(errors[_name(term)].values()) for term in self.terms
            )
            if not np.isfinite(found):
                self._diverged(number, epoch)
                continue
            state.epoch = epoch
            state.seconds += seconds
            if found < state.best_loss:
                state.best_loss, state.best_epoch, state.best_validation = found, epoch, errors
                weights = self.members.weights[number]
                self.best[number] = {k: v.detach().clone() for k, v in weights.items()}
            self.histories[number].add(
                epoch=epoch,
                learning_rate=state.learning_rate,
                validation_loss=found,
                training=_of_member(trained, place),
                validation=errors,
                seconds=round(state.seconds, 3),
            )
            if epoch - max(state.best_epoch, state.halved_epoch) >= (
                self.recipe.optimiser.halve_after
            ):
                state.learning_rate, state.halved_epoch = state.learning_rate / 2, epoch

    def _diverged(self, number: int, epoch: int) -> None:
        settings = self.jobs[number].settings
        if not self.best[number]:
            raise InputError(
                f"{settings.family} seed {settings.seed}: the loss was not finite in epoch "
                f"{epoch}; lower the recipe's learning_rate"
            )
        self.progress[number].stopped = f"diverged in epoch {epoch}"
        print(
            f"warning: seed {settings.seed} {self.progress[number].stopped}; the best weights "
            "before are kept",
            file=sys.stderr,
        )

    def _train_epoch(self, epoch: int, rates: list[float]) -> dict[str, dict[str, list[float]]]:
        self.members.set_rates(rates)
        order = _generator(self.jobs[0].settings.seed, epoch)
        # Terms of weight zero are not computed: it spares derivatives where a schedule ends so.
        terms = [term for term in self.terms if term.weight_at(epoch) > 0]
        weights = [term.weight_at(epoch) for term in terms]
        sums = [Errors() for _ in terms]
        model = self.members.model
        for batch, labels, numbers in self.data.batches(self.batch_size, order):
            theirs = self._theirs("training", numbers)
            found, orders = residuals(model, batch, labels, terms, training=True, theirs=theirs)
            losses = loss(
                self.recipe.regularisation.hierarchicality,
                list(zip(weights, found, strict=True)),
                orders,
                None if theirs is None else theirs[:, batch.systems],
            )
            self.members.step(gradients(losses, list(model.parameters())))
            for total, one in zip(sums, found, strict=True):
                total.add(one)
        return self._report("training", terms, sums)

    def _validate(self) -> dict[str, dict[str, list[float]]]:
        sums = [Errors() for _ in self.terms]
        for batch, labels, numbers in self.validation.batches(self.batch_size):
            theirs = self._theirs("validation", numbers)
            found, _ = residuals(
                self.members.model, batch, labels, self.terms, training=False, theirs=theirs
            )
            for total, one in zip(sums, found, strict=True):
                total.add(one)
        return self._report("validation", self.terms, sums)

    def _report(
        self, split: str, terms: list[LossTerm], sums: list[Errors]
    ) -> dict[str, dict[str, list[float]]]:
        for term, total in zip(terms, sums, strict=True):
            if not torch.as_tensor(total.count).all():
                raise InputError(
                    f"{self.file.path}: wanted {term.labels} labels of {stored(term.quantity)} in "
                    f"the {split} split, got none but missing ones; label more configurations, or "
                    "remove the term"
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
        state, settings = self.progress[number], self.jobs[number].settings
        model = self.members.single(number, self.best[number])
        metadata = {
            "dataset": settings.dataset,
            "dataset_sha256": self.file.sha256,
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
                "seconds": round(state.seconds, 1),
            },
        }
        return Potential(model, provenance.record(**metadata))

    def finish(self) -> None:
        """What remains to be done when the models are written."""
        for history in self.histories:
            history.finish()
        self.checkpoint.remove()


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
