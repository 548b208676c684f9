"""Checkpoints: everything that training goes on from, so that a resumed run gives the same bits.

They are safetensors files beside the output, not among Snakemake's outputs, which it deletes before
a retry. The one before is kept: a checkpoint damaged by a crash or a full disk falls back to it.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from mlipkd import artefacts
from mlipkd.errors import InputError


@dataclass
class Progress:
    """How far training has come, beside its weights."""

    identity: str
    """What is trained: settings, dataset and version. Another one never resumes from this."""
    epoch: int = 0
    learning_rate: float = 0.0
    best_epoch: int = 0
    best_loss: float = float("inf")
    halved_epoch: int = 0
    seconds: float = 0.0


class Checkpoint:
    """The checkpoint beside one output."""

    def __init__(self, output: Path) -> None:
        self.path = output.with_name(output.name + ".checkpoint")
        self.previous = output.with_name(output.name + ".checkpoint.previous")

    def save(
        self, progress: Progress, model: torch.nn.Module, best: dict, adam: torch.optim.Adam
    ) -> None:
        """Write a new checkpoint and keep the one before."""
        tensors = {f"model.{key}": value for key, value in model.state_dict().items()}
        tensors |= {f"best.{key}": value for key, value in best.items()}
        for number, state in adam.state_dict()["state"].items():
            tensors |= {f"adam.{number}.{key}": value for key, value in state.items()}
        if self.path.exists():
            for old, kept in (
                (self.path, self.previous),
                (artefacts.sidecar(self.path), artefacts.sidecar(self.previous)),
            ):
                if old.exists():
                    os.replace(old, kept)
        with artefacts.writing(self.path) as temporary:
            save_file(
                {key: value.contiguous() for key, value in tensors.items()},
                temporary,
                metadata={"progress": json.dumps(asdict(progress))},
            )

    def load(
        self, identity: str, model: torch.nn.Module, adam: torch.optim.Adam
    ) -> tuple[Progress, dict[str, torch.Tensor]] | None:
        """Set model and optimiser to the newest sound checkpoint of this training, if there is one.

        Returns:
            How far it had come, and the best weights so far; or none.
        """
        for path in (self.path, self.previous):
            try:
                artefacts.verify(path)
                with safe_open(path, framework="pt") as file:
                    progress = Progress(**json.loads(file.metadata()["progress"]))
                    tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            except (InputError, SafetensorError):
                continue
            if progress.identity != identity:
                continue
            model.load_state_dict(_under("model.", tensors))
            states = _under("adam.", tensors)
            groups = adam.state_dict()["param_groups"]
            numbers = [number for group in groups for number in group["params"]]
            state = {number: _under(f"{number}.", states) for number in numbers}
            adam.load_state_dict({"state": state, "param_groups": groups})
            return progress, _under("best.", tensors)
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
