"""Checkpoints: everything that training goes on from, so that a resumed run gives the same bits.

They are safetensors files beside the output, not among Snakemake's outputs, which it deletes before
a retry. The one before is kept: a checkpoint damaged by a crash or a full disk falls back to it.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from mlipkd import artefacts
from mlipkd.errors import InputError


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


class Checkpoint:
    """The checkpoint beside one output."""

    def __init__(self, output: Path, identity: str) -> None:
        """Say where, and what is trained: settings, dataset and version, as a hash of them.

        The checkpoint of another training is never gone on from.
        """
        self.identity = identity
        self.path = output.with_name(output.name + ".checkpoint")
        self.previous = output.with_name(output.name + ".checkpoint.previous")

    def save(
        self,
        progress: list[Progress],
        weights: Sequence[Mapping[str, torch.Tensor]],
        best: Sequence[Mapping[str, torch.Tensor]],
        adam: torch.optim.Adam,
    ) -> None:
        """Write a new checkpoint and keep the one before.

        Args:
            progress: of each member.
            weights: of each member, by name.
            best: the best weights of each member so far.
            adam: the optimiser of all.
        """
        kinds: dict[str, Mapping] = {
            "weights": dict(enumerate(weights)),
            "best": dict(enumerate(best)),
            "adam": adam.state_dict()["state"],
        }
        tensors = {
            f"{kind}.{number}.{key}": value.contiguous()
            for kind, sets in kinds.items()
            for number, values in sets.items()
            for key, value in values.items()
        }
        if self.path.exists():
            for old, kept in (
                (self.path, self.previous),
                (artefacts.sidecar(self.path), artefacts.sidecar(self.previous)),
            ):
                if old.exists():
                    os.replace(old, kept)
        record = {"identity": self.identity, "members": [asdict(one) for one in progress]}
        with artefacts.writing(self.path) as temporary:
            save_file(tensors, temporary, metadata={"progress": json.dumps(record)})

    def load(
        self, weights: list[dict[str, torch.nn.Parameter]], adam: torch.optim.Adam
    ) -> tuple[list[Progress], list[dict[str, torch.Tensor]]] | None:
        """Set weights and optimiser to the newest sound checkpoint of this training, if any.

        Returns:
            How far each member had come, and its best weights so far; or none.
        """
        for path in (self.path, self.previous):
            try:
                artefacts.verify(path)
                with safe_open(path, framework="pt") as file:
                    record = json.loads(file.metadata()["progress"])
                    tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            except (InputError, SafetensorError):
                continue
            if record["identity"] != self.identity:
                continue
            for number, own in enumerate(weights):
                for key, value in _under(f"weights.{number}.", tensors).items():
                    own[key].data.copy_(value)
            groups = adam.state_dict()["param_groups"]
            numbers = [number for group in groups for number in group["params"]]
            states = {number: _under(f"adam.{number}.", tensors) for number in numbers}
            known = {number: state for number, state in states.items() if state}
            adam.load_state_dict({"state": known, "param_groups": groups})
            best = [_under(f"best.{number}.", tensors) for number in range(len(weights))]
            return [Progress(**one) for one in record["members"]], best
        return None

    def remove(self) -> None:
        """Delete the checkpoint once training is done."""
        for path in (self.path, self.previous):
            path.unlink(missing_ok=True)
            artefacts.sidecar(path).unlink(missing_ok=True)


def _under(prefix: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {
        key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)
    }
