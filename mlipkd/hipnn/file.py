"""Model files: weights and their metadata, in one safetensors file.

The header holds a JSON record under the key ``mlipkd``: architecture, elements, dataset, family,
seed, recipe and provenance. Such a file is data only; loading one never runs code from it. It needs
no other file: the header also holds the hash of record and weights, so damage is noticed.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from mlipkd.config.model import Architecture
from mlipkd.datasets.dataset import species_name
from mlipkd.datasets.file import DatasetFile
from mlipkd.errors import InputError
from mlipkd.hipnn.network import HIPNN
from mlipkd.jobs import artefacts

#: Newest version of the file's layout. A file has the oldest version that can hold its content, so
#: that an older mlipkd reads what it can and refuses what it would misread.
FORMAT = 2
#: The version that added the repulsion.
REPULSION = 2


@dataclass(frozen=True)
class Potential:
    """A trained model and its metadata."""

    model: HIPNN
    metadata: dict[str, Any]
    """``dataset``, ``dataset_sha256``, ``base_dataset_sha256`` (before a teacher's labels were
    added), ``family``, ``model`` (the architecture's name), ``seed``, ``architecture``,
    ``species``, ``training``, and the keys of ``provenance.record``."""

    @property
    def dtype(self) -> torch.dtype:
        """Floating-point type of the weights."""
        return self.model.dtype

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.model.device


def save_potential(potential: Potential, path: Path) -> None:
    """Write a model file."""
    state = potential.model.state_dict()
    tensors = {key: value.squeeze(0).contiguous() for key, value in state.items()}
    file_format = 1 if potential.model.repulsion is None else REPULSION
    record = json.dumps({"format": file_format, **potential.metadata})
    header = {"mlipkd": record, "sha256": _digest(record, tensors)}
    with artefacts.writing(Path(path)) as temporary:
        # Not save_file, which reports a full disk as an error of the format.
        temporary.write_bytes(save(tensors, header))


def load_potential(path: Path | str, device: torch.device | str = "cpu") -> Potential:
    """Read a model file.

    Raises:
        InputError: missing, damaged, not a model file, or written by a later version.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        record = json.loads(header["mlipkd"])
        file_format = int(record["format"])
    except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
        raise InputError(
            f"{path}: expected a model file of mlipkd, got something else ({error}); "
            "give a model.safetensors that `mlipkd train` wrote"
        ) from error
    if file_format > FORMAT:
        raise InputError(
            f"{path}: expected a model file of format {FORMAT} or older, got {file_format}, "
            f"written by mlipkd {record.get('mlipkd')}; read it with that version or a later one"
        )
    if header.get("sha256") != _digest(header["mlipkd"], weights):
        raise InputError(
            f"{path}: expected the weights and the record that the file's own hash was made of, "
            "got others: it was damaged after it was written; copy or train it again"
        )
    model = HIPNN(Architecture(**record["architecture"]), record["species"])
    model.to(weights["w"].dtype)
    model.load_state_dict({key: value[None] for key, value in weights.items()})
    return Potential(model.to(device).requires_grad_(False), record)


def load_members(
    sources: str | Path | Potential | Sequence[str | Path | Potential],
    device: torch.device | str = "cpu",
) -> list[Potential]:
    """Read a model file, or several; potentials that are loaded already are passed on.

    Raises:
        InputError: none are given, or as ``load_potential``.
    """
    members = [sources] if isinstance(sources, str | Path | Potential) else sources
    if not members:
        raise InputError(
            "expected one model file or more, got none; check the pattern of their names"
        )
    return [
        member if isinstance(member, Potential) else load_potential(member, device)
        for member in members
    ]


def _digest(record: str, weights: dict[str, torch.Tensor]) -> str:
    digest = hashlib.sha256(record.encode())
    for key in sorted(weights):
        digest.update(key.encode())
        digest.update(weights[key].detach().cpu().numpy().tobytes())
    return digest.hexdigest()


def transferred(potential: Potential, dataset: DatasetFile, family: str) -> Potential:
    """A model of one dataset as a member of a family of another: the same weights.

    Raises:
        InputError: the dataset holds a species that the model was not trained on.
    """
    old = potential.metadata
    known = set(potential.model.species)
    if unknown := [number for number in dataset.species_present if number not in known]:
        names = ", ".join(species_name(number, dataset.beads) for number in unknown)
        raise InputError(
            f"{dataset.path}: expected species that {old['dataset']}/{old['family']} was trained "
            f"on, got {names} besides; train it on data that has them"
        )
    origin = {key: old[key] for key in ("dataset", "family")}
    new = {"dataset": dataset.name, "family": family, "transferred_from": origin}
    return replace(potential, metadata=old | new)
