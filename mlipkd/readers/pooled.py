"""Several datasets as one, each configuration in the split in which it was.

But for copies of what one of the others tests on: these are left unused.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from mlipkd.datasets import duplicates
from mlipkd.datasets.dataset import TEST, UNUSED, Dataset
from mlipkd.datasets.file import DatasetFile, joined
from mlipkd.errors import InputError
from mlipkd.jobs import provenance


def pool(name: str, paths: Sequence[Path]) -> Dataset:
    """The datasets of some canonical files, one after the other.

    Raises:
        InputError: a file that cannot be read, or one with other labels or beads than the first.
    """
    parts: list[Dataset] = []
    sources: dict[str, str] = {}
    first_group = first_cluster = 0
    for path in paths:
        with DatasetFile(path) as file:
            part = file.read()
            sources[str(path)] = file.sha256
        _refuse_stranger(path, part, paths[0], (parts or [part])[0])
        parts.append(
            replace(part, groups=part.groups + first_group, clusters=part.clusters + first_cluster)
        )
        first_group = parts[-1].groups.max() + 1
        first_cluster = parts[-1].clusters.max() + 1
    firsts = np.cumsum([0, *(len(part) for part in parts[:-1])]).tolist()
    whole = joined(parts)
    clusters = duplicates.joined(whole.clusters, duplicates.duplicates(whole))
    leaking = np.isin(clusters, clusters[whole.splits == TEST])  # (configurations,)
    leaking &= (whole.splits != TEST) & (whole.splits != UNUSED)
    return replace(
        whole,
        name=name,
        clusters=clusters,
        splits=np.where(leaking, UNUSED, whole.splits).astype(np.uint8),
        provenance=provenance.record(
            source_sha256=sources,
            masked=sorted(set().union(*(part.masked for part in parts))),
            notes=_left_unused(int(leaking.sum())),
            origins=[(first, str(path)) for first, path in zip(firsts, paths, strict=True)],
        ),
    )


def _left_unused(number: int) -> list[str]:
    if not number:
        return []
    return [
        f"{number} configurations are left unused: what belongs together with them is tested on in "
        "another of the datasets"
    ]


def _refuse_stranger(path: Path, part: Dataset, first_path: Path, first: Dataset) -> None:
    for what, own, wanted in [
        ("reference labels", sorted(part.labels["reference"]), sorted(first.labels["reference"])),
        ("beads", list(part.beads), list(first.beads)),
    ]:
        if own != wanted:
            raise InputError(
                f"{path}: expected the {what} of {first_path}, {wanted}, got {own}; pool datasets "
                "that are alike"
            )
