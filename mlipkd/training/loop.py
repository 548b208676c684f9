"""The training loop: Adam, the rate halved on a plateau, early stopping, resuming.

The seed decides everything that is drawn: initial weights, the split where the recipe says so, and
the order of every epoch, which is drawn anew from (seed, epoch) so that a resumed run repeats it.
Weights are selected by the validation loss with the schedule's final weights: a measure that means
the same in every epoch.
"""

import hashlib
import sys
import time
from pathlib import Path

import numpy as np
import torch

from mlipkd import provenance
from mlipkd.config.recipe import LossTerm, Recipe
from mlipkd.config.settings import TrainSettings
from mlipkd.datasets.dataset import TRAIN, VALIDATION
from mlipkd.datasets.file import DatasetFile
from mlipkd.datasets.splits import per_seed
from mlipkd.errors import InputError
from mlipkd.evaluation.error_sum import ErrorSum
from mlipkd.hipnn.file import Potential, save_potential
from mlipkd.hipnn.initial import fit_element_energies, initialise
from mlipkd.hipnn.network import HIPNN
from mlipkd.progress import progress as show_progress
from mlipkd.training.checkpoint import Checkpoint, Progress
from mlipkd.training.data import TrainingData
from mlipkd.training.history import History
from mlipkd.training.loss import loss, mixing_weights, residuals

PRECISION = {"float32": torch.float32, "float64": torch.float64}


def train(
    settings: TrainSettings,
    dataset: Path,
    output: Path,
    history_path: Path,
    device: torch.device | str = "cpu",
    checkpoint_every: float = 10.0,
) -> None:
    """Train one member of a family and write its model file and history.

    Args:
        settings: what to train.
        dataset: canonical file, with teacher labels if the recipe asks for them.
        output: the model file; checkpoints lie beside it until training is done.
        history_path: the JSON lines.
        device: where to train.
        checkpoint_every: seconds between checkpoints; they are written at the end of an epoch.

    Raises:
        InputError: the dataset lacks labels or configurations, or training diverged at once.
    """
    with DatasetFile(dataset) as file:
        training = _Training(settings, file, device)
        training.run(Checkpoint(output), History(history_path), checkpoint_every)
        save_potential(training.result(), output)
    training.history.finish()
    training.checkpoint.remove()


class _Training:
    """One training in progress."""

    def __init__(self, settings: TrainSettings, file: DatasetFile, device: torch.device | str):
        self.settings, self.file, self.device = settings, file, device
        self.recipe, self.terms = settings.recipe, settings.recipe.loss
        splits = file.splits
        if self.recipe.split == "per_seed":
            splits = per_seed(splits, file.clusters, settings.split, settings.seed)
        dtype = PRECISION[self.recipe.precision]
        chosen = np.flatnonzero(splits == TRAIN)
        held_out = np.flatnonzero(splits == VALIDATION)
        cutoff = settings.architecture.hard_max
        self.data = TrainingData(file, chosen, self.terms, cutoff, dtype)
        self.validation = TrainingData(file, held_out, self.terms, cutoff, dtype)
        self.sizes = {"training": len(chosen), "validation": len(held_out)}
        self.batch_size = self.data.batch_size(self.recipe.batch)

        self.model = HIPNN(settings.architecture, file.species_present).to(dtype)
        initialise(self.model, settings.seed)
        if "energy" in file.labels["reference"]:
            fit_element_energies(self.model, file.read(chosen))
        self.model.to(device)
        self.adam = _adam(self.model, self.recipe)
        identity = settings.to_yaml() + file.sha256 + provenance.__version__
        self.progress = Progress(
            identity=hashlib.sha256(identity.encode()).hexdigest(),
            learning_rate=self.recipe.optimiser.learning_rate,
        )
        self.best: dict[str, torch.Tensor] = {}
        self.stopped = "epochs"

    def run(self, checkpoint: Checkpoint, history: History, checkpoint_every: float) -> None:
        """Train to the end, from the checkpoint if there is one."""
        self.checkpoint, self.history = checkpoint, history
        resumed = checkpoint.load(self.progress.identity, self.model, self.adam)
        if resumed is not None:
            self.progress, self.best = resumed
            print(f"resuming after epoch {self.progress.epoch}", file=sys.stderr)
        history.start(self.progress.epoch)
        print(
            f"{self.sizes['training']} configurations to train on, {self.sizes['validation']} to "
            f"validate with; engine {self.model.engine} on {self.device}",
            file=sys.stderr,
        )
        optimiser = self.recipe.optimiser
        saved = time.monotonic()
        epochs = range(self.progress.epoch + 1, optimiser.epochs + 1)
        for epoch in show_progress(epochs, len(epochs), f"training {self.settings.family}"):
            if self._patience_is_over():
                self.stopped = "no progress"
                break
            began = time.monotonic()
            trained = self._train_epoch(epoch)
            validation_loss, validated = self._validate()
            if not np.isfinite(validation_loss):
                self._diverged(epoch)
                break
            state = self.progress
            state.epoch = epoch
            state.seconds += time.monotonic() - began
            if validation_loss < state.best_loss:
                state.best_loss, state.best_epoch = validation_loss, epoch
                self.best = {k: v.clone() for k, v in self.model.state_dict().items()}
            history.add(
                epoch=epoch,
                learning_rate=state.learning_rate,
                validation_loss=validation_loss,
                training=trained,
                validation=validated,
                seconds=round(state.seconds, 3),
            )
            if epoch - max(state.best_epoch, state.halved_epoch) >= optimiser.halve_after:
                state.learning_rate, state.halved_epoch = state.learning_rate / 2, epoch
            if time.monotonic() - saved >= checkpoint_every:
                checkpoint.save(state, self.model, self.best, self.adam)
                saved = time.monotonic()

    def _patience_is_over(self) -> bool:
        waited = self.progress.epoch - self.progress.best_epoch
        return waited >= self.recipe.optimiser.stop_after

    def _diverged(self, epoch: int) -> None:
        if not self.best:
            raise InputError(
                f"{self.settings.family} seed {self.settings.seed}: the loss was not finite in "
                f"epoch {epoch}; lower the recipe's learning_rate"
            )
        self.stopped = f"diverged in epoch {epoch}"
        print(f"warning: {self.stopped}; the best weights before are kept", file=sys.stderr)

    def _train_epoch(self, epoch: int) -> dict[str, dict[str, float]]:
        for group in self.adam.param_groups:
            group["lr"] = self.progress.learning_rate
        order = _generator(self.settings.seed, epoch)
        # Terms of weight zero are not computed: it spares derivatives where a schedule ends so.
        active = [term for term in self.terms if term.weight_at(epoch) > 0]
        weights = [term.weight_at(epoch) for term in active]
        sums = [ErrorSum() for _ in active]
        for batch, labels in self.data.batches(self.batch_size, order):
            found, orders = residuals(
                self.model, batch.to(self.device), labels, active, training=True
            )
            self.adam.zero_grad(set_to_none=True)
            weighted = list(zip(weights, found, strict=True))
            loss(self.recipe.regularisation.hierarchicality, weighted, orders).backward()
            self.adam.step()
            _count(sums, found)
        return _report(active, sums)

    def _validate(self) -> tuple[float, dict[str, dict[str, float]]]:
        sums = [ErrorSum() for _ in self.terms]
        for batch, labels in self.validation.batches(self.batch_size):
            found, _ = residuals(
                self.model, batch.to(self.device), labels, self.terms, training=False
            )
            _count(sums, found)
        errors = _report(self.terms, sums)
        total = sum(term.final_weight * sum(errors[_name(term)].values()) for term in self.terms)
        return total, errors

    def result(self) -> Potential:
        """The best weights, and all that is known about them."""
        self.model.load_state_dict(self.best)
        state, settings = self.progress, self.settings
        metadata = {
            "dataset": settings.dataset,
            "dataset_sha256": self.file.sha256,
            "family": settings.family,
            "model": settings.architecture.name,
            "seed": settings.seed,
            "architecture": settings.architecture.model_dump(),
            "species": list(self.model.species),
            "training": {
                "recipe": self.recipe.model_dump(mode="json"),
                "configurations": self.sizes,
                "epochs": state.epoch,
                "best_epoch": state.best_epoch,
                "best_loss": state.best_loss,
                "stopped": self.stopped,
                "seconds": round(state.seconds, 1),
            },
        }
        return Potential(self.model, provenance.record(**metadata))


def _adam(model: HIPNN, recipe: Recipe) -> torch.optim.Adam:
    decayed = {id(weights) for weights in mixing_weights(model)}
    groups: list[dict] = [
        {
            "params": [w for w in model.parameters() if id(w) in decayed],
            "weight_decay": 2 * recipe.regularisation.l2,
        },
        {"params": [w for w in model.parameters() if id(w) not in decayed]},
    ]
    return torch.optim.Adam(groups, lr=recipe.optimiser.learning_rate, fused=True)


def _generator(seed: int, epoch: int) -> torch.Generator:
    """Random numbers of one epoch."""
    state = np.random.SeedSequence((seed, epoch)).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state >> 1))


def _count(sums: list[ErrorSum], found: list[torch.Tensor]) -> None:
    for total, residual in zip(sums, found, strict=True):
        total.add(residual.detach().cpu().numpy())


def _name(term: LossTerm) -> str:
    return f"{term.labels} {term.quantity}"


def _report(terms: list[LossTerm], sums: list[ErrorSum]) -> dict[str, dict[str, float]]:
    return {
        _name(term): {"rmse": total.rmse, "mae": total.mae}
        for term, total in zip(terms, sums, strict=True)
    }
