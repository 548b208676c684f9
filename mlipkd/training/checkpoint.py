"""Checkpoints: the whole state of a training, so that a resumed run gives the same bits.

They are safetensors files next to the output, not among Snakemake's outputs, which it deletes
before a retry. The previous one stays as well: training falls back to it if the last one was
damaged by a crash or a full disk.

The last one stays when training is done. Snakemake deletes the model of a job that it believes has
failed, rightly or wrongly; the next run then makes it again in seconds.
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
class MemberState:
    """The state of one member, apart from its weights."""

    learning_rate: float
    epoch: int = 0
    """The last one that is over."""
    best_epoch: int = 0
    best_loss: float = float("inf")
    best_validation: dict[str, dict[str, float]] = field(default_factory=dict)
    """RMSE and MAE of each term, by its name, in the best epoch."""
    halved_epoch: int = 0
    seconds: float = 0.0
    stopped: str | None = None
    """Why its training has ended; none while it goes on."""
    history: list[str] = field(default_factory=list)
    """The line of each epoch, JSON."""


@dataclass
class EpochState:
    """How much of the current epoch is done, by all members together."""

    batches: int = 0
    seconds: float = 0.0
    errors: list[Errors] = field(default_factory=list)
    """Of each term that has a weight, over those mini-batches."""


@dataclass
class State:
    """The state of a training, apart from the optimiser."""

    members: list[MemberState]
    weights: Sequence[Mapping[str, torch.Tensor]]
    """Of each member, by name."""
    best: list[dict[str, torch.Tensor]]
    """The best weights of each member so far, by name."""
    current_epoch: EpochState = field(default_factory=EpochState)
    halvings: list[int] = field(default_factory=list)
    """The epochs in which memory ran out and microbatches were halved."""

    @property
    def epoch(self) -> int:
        """The last one that is over, for the member that trains longest."""
        return max(member.epoch for member in self.members)


class Checkpoint:
    """The checkpoint of the training that makes one output."""

    def __init__(self, output: Path, identity: str) -> None:
        """Name its files.

        Args:
            output: the model file.
            identity: what is trained, as a hash of settings, dataset and code; a checkpoint of any
                other training is never resumed.
        """
        self.identity = identity
        self.path = output.with_name(output.name + ".checkpoint")
        self.previous = output.with_name(output.name + ".checkpoint.previous")

    def save(self, state: State, adam: torch.optim.Adam) -> None:
        """Write a new checkpoint, and keep the previous one."""
        kinds: dict[str, Mapping] = {
            "weights": dict(enumerate(state.weights)),
            "best": dict(enumerate(state.best)),
            "adam": adam.state_dict()["state"],
            "errors": {
                number: vars(term) for number, term in enumerate(state.current_epoch.errors)
            },
        }
        tensors = {
            f"{kind}.{number}.{key}": value.contiguous()
            for kind, sets in kinds.items()
            for number, values in sets.items()
            for key, value in values.items()
        }
        self._keep_previous()
        record = {
            "identity": self.identity,
            "members": [asdict(member) for member in state.members],
            "batches": state.current_epoch.batches,
            "seconds": state.current_epoch.seconds,
            "halvings": state.halvings,
        }
        with artefacts.writing(self.path) as temporary:
            # Not save_file, which reports a full disk as an error of the format.
            temporary.write_bytes(save(tensors, {"progress": json.dumps(record)}))

    def _keep_previous(self) -> None:
        """Give the checkpoint a second name; whenever this is interrupted, one of both is whole."""
        files, links = ((path, artefacts.sidecar(path)) for path in (self.path, self.previous))
        if not all(file.exists() for file in files):
            return
        for link in links:
            link.unlink(missing_ok=True)
        try:
            for file, link in zip(files, links, strict=True):
                os.link(file, link)
        except OSError:  # a file system without hard links: exFAT, SMB
            with artefacts.writing(self.previous) as temporary:
                shutil.copyfile(self.path, temporary)

    def load(self, state: State, adam: torch.optim.Adam) -> bool:
        """Set state and optimiser to the newest undamaged checkpoint of this training, if any.

        Returns:
            Whether there was one.
        """
        for path in (self.path, self.previous):
            content = _Content.read(path)
            if content is None:
                continue
            if content.record["identity"] != self.identity:
                print(
                    f"{path} is of other settings, data or code: training begins anew",
                    file=sys.stderr,
                )
                continue
            content.restore(state)
            groups = adam.state_dict()["param_groups"]
            numbers = [number for group in groups for number in group["params"]]
            moments = {number: content.under(f"adam.{number}.") for number in numbers}
            saved = {number: moment for number, moment in moments.items() if moment}
            adam.load_state_dict({"state": saved, "param_groups": groups})
            return True
        return False

    def finish(self) -> None:
        """Delete the previous checkpoint."""
        self.previous.unlink(missing_ok=True)
        artefacts.sidecar(self.previous).unlink(missing_ok=True)


@dataclass(frozen=True)
class _Content:
    """What a checkpoint file holds."""

    record: dict
    tensors: dict[str, torch.Tensor]

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """Read a file; none if there is none, or it is damaged."""
        try:
            artefacts.verify(path)
            with safe_open(path, framework="pt") as file:
                record = json.loads(file.metadata()["progress"])
                return cls(record, {key: file.get_tensor(key) for key in file.keys()})  # noqa: SIM118
        except (InputError, SafetensorError):
            return None

    def under(self, prefix: str) -> dict[str, torch.Tensor]:
        """The tensors whose names start so, by the rest of their names."""
        return {
            key.removeprefix(prefix): value
            for key, value in self.tensors.items()
            if key.startswith(prefix)
        }

    def restore(self, state: State) -> None:
        for number, weights in enumerate(state.weights):
            device = next(iter(weights.values())).device
            for key, value in self.under(f"weights.{number}.").items():
                weights[key].data.copy_(value)
            state.best[number] = {
                key: value.to(device) for key, value in self.under(f"best.{number}.").items()
            }
        state.members = [MemberState(**member) for member in self.record["members"]]
        terms = sum(key.startswith("errors.") and key.endswith(".count") for key in self.tensors)
        state.current_epoch = EpochState(
            self.record["batches"],
            self.record["seconds"],
            [
                Errors(**{k: v.to(device) for k, v in self.under(f"errors.{number}.").items()})
                for number in range(terms)
            ],
        )
        state.halvings = self.record["halvings"]
