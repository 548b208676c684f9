"""Learning: how the errors of members fell while they trained, from their histories."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from mlipkd.errors import InputError
from mlipkd.evaluation.cost import weights
from mlipkd.evaluation.ensembles import source_of
from mlipkd.evaluation.rows import UNITS, Row, Source, made_by
from mlipkd.hipnn.file import Potential, load_potential
from mlipkd.training.history import read_history

#: How many epochs of a history are kept at most, beside the last.
EPOCHS = 100
QUANTITIES = ("energy", "energy_per_atom", "forces")


def evaluate_learning(models: Sequence[Path]) -> tuple[list[Row], list[Source]]:
    """RMSE of the reference labels of training and validation configurations against the epoch.

    Those of training are gathered while the weights change, each mini-batch before its step; those
    of validation are of the weights after the epoch. Where a term's weight is zero, there are none
    of training. Histories longer than ``EPOCHS`` are thinned evenly, the first and the
    last epoch kept, and all to the same epochs, so that members can be averaged. With the errors
    comes the number of weights, by which architectures are put in order.

    Args:
        models: model files of members, each with its ``history.jsonl`` beside it.

    Raises:
        InputError: a file is missing or damaged, or a history is not that of the model beside it.
    """
    potentials = {path: load_potential(path) for path in models}
    histories = {path: _history(path, potential) for path, potential in potentials.items()}
    longest = max(len(lines) for lines, _ in histories.values())
    kept = set(np.linspace(1, longest, min(longest, EPOCHS)).round().astype(int).tolist())
    rows, sources = [], []
    for path, potential in potentials.items():
        own = potential.metadata
        lines, source = histories[path]
        rows += [
            Row(own["dataset"], own["family"], own["model"], own["seed"], metric, value, unit)
            for metric, value, unit in _numbers(potential, lines, kept)
        ]
        sources += [source_of(path, potential), source]
    return rows, sources


def _history(path: Path, potential: Potential) -> tuple[list[dict], Source]:
    """The history beside a model file."""
    beside, training = path.with_name("history.jsonl"), potential.metadata["training"]
    lines, digest = read_history(beside)
    best = [line["validation_loss"] for line in lines if line["epoch"] == training["best_epoch"]]
    if best != [training["best_loss"]]:
        raise InputError(
            f"{beside}: expected the history of {path}, got one without its validation loss of "
            f"{training['best_loss']:.6g} in epoch {training['best_epoch']}; train that member "
            "again"
        )
    return lines, Source(str(beside), digest, [made_by(potential.metadata)])


def _numbers(
    potential: Potential, lines: Sequence[dict], kept: set[int]
) -> Iterator[tuple[str, float, str]]:
    """Metric, value and unit of all rows of one member."""
    units = UNITS["learning"]
    yield "weights", weights(potential), units["weights"]
    for line in lines:
        if line["epoch"] not in kept and line is not lines[-1]:
            continue
        for split in ("training", "validation"):
            for quantity in QUANTITIES:
                if found := line[split].get(f"reference {quantity}"):
                    metric = f"{quantity}_rmse"
                    yield f"epoch{line['epoch']}/{split}_{metric}", found["rmse"], units[metric]
