"""Several datasets as one, in which each configuration stays in its split.

Copies of what another of the datasets tests on are the exception: they are left unused.
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from mlipkd.config.section import Name
from mlipkd.datasets.dataset import TEST, UNUSED, Dataset
from mlipkd.errors import InputError
from mlipkd.jobs import provenance
from mlipkd.paths import DatasetPaths
from mlipkd.readers.source import Source


class Pooled(Source):
    """Other datasets of the campaign as one: several states of a liquid, say.

    A configuration stays in the split in which it is there, so that what one of them tests on,
    nothing trains on here."""

    reader: Literal["pooled"]
    datasets: Annotated[list[Name], Field(min_length=2)]
    """Names of the datasets, with the same labels and, if there are any, the same beads."""

    @property
    def needs_datasets(self) -> list[str]:
        return self.datasets

    @property
    def paths(self) -> list[str]:
        return [DatasetPaths(dataset).data for dataset in self.datasets]

    def read(self, name: str) -> Dataset:
        """The datasets one after the other, in their splits.

        Raises:
            InputError: a file that cannot be read, or one with other labels or beads than the
                first.
        """
        from mlipkd.datasets import duplicates
        from mlipkd.datasets.file import DatasetFile, concatenate

        parts: list[Dataset] = []
        sources: dict[str, str] = {}
        first_group = first_cluster = 0
        for path in self.paths:
            with DatasetFile(Path(path)) as file:
                part = file.read()
                sources[path] = file.sha256
            _refuse_unlike(path, part, self.paths[0], (parts or [part])[0])
            groups, clusters = part.groups + first_group, part.clusters + first_cluster
            parts.append(replace(part, groups=groups, clusters=clusters))
            first_group, first_cluster = groups.max() + 1, clusters.max() + 1
        firsts = np.cumsum([0, *(len(part) for part in parts[:-1])]).tolist()
        whole = concatenate(parts)
        clusters = duplicates.join_clusters(whole.clusters, duplicates.duplicates(whole))
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
                origins=list(zip(firsts, self.paths, strict=True)),
            ),
        )


def _left_unused(number: int) -> list[str]:
    if not number:
        return []
    return [
        f"{number} configurations are left unused: what belongs together with them is tested on in "
        "another of the datasets"
    ]


def _refuse_unlike(path: str, part: Dataset, first_path: str, first: Dataset) -> None:
    for what, got, expected in [
        ("reference labels", sorted(part.labels["reference"]), sorted(first.labels["reference"])),
        ("beads", list(part.beads), list(first.beads)),
    ]:
        if got != expected:
            raise InputError(
                f"{path}: expected the {what} of {first_path}, {expected}, got {got}; pool "
                "datasets that are alike"
            )
