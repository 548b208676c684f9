"""Checkpoints: everything that training goes on from, so that a resumed run gives the same bits.

They are safetensors files beside the output, not among Snakemake's outputs, which it deletes before
a retry. The one before is kept: a checkpoint damaged by a crash or a full disk falls back to it.

The last one stays when training is done. Snakemake deletes the model of a job that it believes has
failed, right or wrong; the next run then makes it again in seconds.
"""

import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from mlipkd.errors import InputError
from mlipkd.jobs import artefacts
from mlipkd.training.loss import Errors


@dataclass
class Progress:
    """How far the training of one member has come, beside its weights."""

    learning_rate: float
    epoch: int = 0
    best_epoch: int = 0
    best_loss: float = float("inf")
    best_validation: dict[str, dict[str, float]] = field(default_factory=dict)
    """RMSE and MAE of each term in the best epoch."""
    halved_epoch: int = 0
    seconds: float = 0.0
    stopped: str | None = None
    """Why it is over; none while it goes on."""
    history: list[str] = field(default_factory=list)
    """The line of each epoch, JSON."""


@dataclass
class Underway:
    """How far the epoch has come that is being gone through, by all members together."""

    batches: int = 0
    seconds: float = 0.0
    errors: list[Errors] = field(default_factory=list)
    """Of each term, over those batches."""


@dataclass
class State:
    """All that training goes on from but for the optimiser."""

    progress: list[Progress]
    """Of each member."""
    weights: Sequence[Mapping[str, torch.Tensor]]
    """Of each member, by name."""
    best: list[dict[str, torch.Tensor]]
    """The best weights of each member so far."""
    underway: Underway = field(default_factory=Underway)
    halvings: list[int] = field(default_factory=list)
    """The epochs in which memory ran out and the parts of mini-batches were halved."""

    @property
    def epoch(self) -> int:
        """The last one that is over for the member that trains longest."""
        return max(member.epoch for member in self.progress)


class Checkpoint:
    """The checkpoint beside one output."""

    def __init__(self, output: Path, identity: str) -> None:
        """Say where, and what is trained: settings, dataset and code, as a hash of them.

        The checkpoint of another training is never gone on from.
        """
        self.identity = identity
        self.path = output.with_name(output.name + ".checkpoint")
        self.previous = output.with_name(output.name + ".checkpoint.previous")

    def save(self, state: State, adam: torch.optim.Adam) -> None:
        """Write a new checkpoint and keep the one before."""
        kinds: dict[str, Mapping] = {
            "weights": dict(enumerate(state.weights)),
            "best": dict(enumerate(state.best)),
            "adam": adam.state_dict()["state"],
            "errors": {number: vars(term) for number, term in enumerate(state.underway.errors)},
        }
        tensors = {
            f"{kind}.{number}.{key}": value.contiguous()
            for kind, sets in kinds.items()
            for number, values in sets.items()
            for key, value in values.items()
        }
        self._keep_the_one_before()
        record = {
            "identity": self.identity,
            "members": [asdict(one) for one in state.progress],
            "batches": state.underway.batches,
            "seconds": state.underway.seconds,
            "halvings": state.halvings,
        }
        with artefacts.writing(self.path) as temporary:
            # Not save_file, which reports a full disk as an error of the format.
            temporary.write_bytes(save(tensors, {"progress": json.dumps(record)}))

    def _keep_the_one_before(self) -> None:
        """Give the checkpoint its second name; whenever this is cut short, one of both is whole."""
        files, kept = ((path, artefacts.sidecar(path)) for path in (self.path, self.previous))
        if not all(file.exists() for file in files):
            return
        for file in kept:
            file.unlink(missing_ok=True)
        try:
            for file, second_name in zip(files, kept, strict=True):
                os.link(file, second_name)
        except OSError:  # a file system without second names: exFAT, SMB
            with artefacts.writing(self.previous) as temporary:
                shutil.copyfile(self.path, temporary)

    def load(self, state: State, adam: torch.optim.Adam) -> bool:
        """Set state and optimiser to the newest sound checkpoint of this training, if any.

        Returns:
            Whether there was one.
        """
        for path in (self.path, self.previous):
            found = _Read.of(path)
            if found is None:
                continue
            if found.record["identity"] != self.identity:
                print(
                    f"{path} is of other settings, data or code: training begins anew",
                    file=sys.stderr,
                )
                continue
            found.restore(state)
            groups = adam.state_dict()["param_groups"]
            numbers = [number for group in groups for number in group["params"]]
            moments = {number: found.under(f"adam.{number}.") for number in numbers}
            known = {number: moment for number, moment in moments.items() if moment}
            adam.load_state_dict({"state": known, "param_groups": groups})
            return True
        return False

    def finish(self) -> None:
        """Delete the checkpoint before the last."""
        self.previous.unlink(missing_ok=True)
        artefacts.sidecar(self.previous).unlink(missing_ok=True)


@dataclass(frozen=True)
class _Read:
    """What a checkpoint file holds."""

    record: dict
    tensors: dict[str, torch.Tensor]

    @classmethod
    def of(cls, path: Path) -> Self | None:
        """None if there is no file, or it is damaged."""
        try:
            artefacts.verify(path)
            with safe_open(path, framework="pt") as file:
                record = json.loads(file.metadata()["progress"])
                return cls(record, {key: file.get_tensor(key) for key in file.keys()})  # noqa: SIM118
        except (InputError, SafetensorError):
            return None

    def under(self, prefix: str) -> dict[str, torch.Tensor]:
        return {
            key.removeprefix(prefix): value
            for key, value in self.tensors.items()
            if key.startswith(prefix)
        }

    def restore(self, state: State) -> None:
        for number, own in enumerate(state.weights):
            device = next(iter(own.values())).device
            for key, value in self.under(f"weights.{number}.").items():
                own[key].data.copy_(value)
            state.best[number] = {
                key: value.to(device) for key, value in self.under(f"best.{number}.").items()
            }
        state.progress = [Progress(**one) for one in self.record["members"]]
        terms = sum(key.startswith("errors.") and key.endswith(".count") for key in self.tensors)
        state.underway = Underway(
            self.record["batches"],
            self.record["seconds"],
            [
                Errors(**{k: v.to(device) for k, v in self.under(f"errors.{number}.").items()})
                for number in range(terms)
            ],
        )
        state.halvings = self.record["halvings"]
