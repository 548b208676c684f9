"""The size of a dataset: the few numbers that the work of jobs which read it depends on."""

import json
from dataclasses import asdict, dataclass, fields
from math import pi
from pathlib import Path
from typing import Self

import numpy as np

from mlipkd.datasets.dataset import Dataset
from mlipkd.jobs import artefacts

#: Configurations whose neighbours are counted within 1, 2, … Å up to the farthest.
SAMPLE, FARTHEST = 64, 12
LIQUID = 0.1  # atoms of a liquid of organic molecules in each Å³, about


@dataclass(frozen=True)
class Size:
    """The size of a dataset."""

    configurations: int
    atoms: int
    """Of all configurations together."""
    largest: int
    """Atoms of the largest configuration."""
    elements: int
    """How many elements there are."""
    periodic: bool
    """Whether any configuration repeats in all directions."""
    neighbours: tuple[float, ...]
    """Mean number of neighbours of an atom within 1, 2, … Å."""
    bytes: int
    """Of the dataset's file."""

    @classmethod
    def read(cls, path: Path | str) -> Self:
        """Read what ``write`` wrote; raises FileNotFoundError where there is nothing yet."""
        content = json.loads(Path(path).read_text())
        content["neighbours"] = tuple(content["neighbours"])
        return cls(**{field.name: content[field.name] for field in fields(cls)})

    def write(self, path: Path) -> None:
        """Write the size as an artefact in JSON."""
        artefacts.write_text(path, json.dumps(asdict(self), indent=1) + "\n")

    def within(self, cutoff: float) -> float:
        """Mean number of neighbours within a cut-off in Å; beyond the farthest as ~ cutoff³."""
        farthest = len(self.neighbours)
        if cutoff > farthest:
            return self.neighbours[-1] * (cutoff / farthest) ** 3
        radii = np.arange(farthest + 1)  # (radii,)
        # Between two radii as ~ cutoff³, too: the density is about the same there.
        return float(np.interp(cutoff**3, radii**3, [0, *self.neighbours]))

    def packed(self, cutoff: float) -> float:
        """The same in a large system made of the dataset: molecules are then as in a liquid."""
        return self.within(cutoff) if self.periodic else LIQUID * 4 / 3 * pi * cutoff**3


def measure(dataset: Dataset, file: Path) -> Size:
    """The size of a dataset that was written to ``file``."""
    return Size(
        configurations=len(dataset),
        atoms=int(dataset.offsets[-1]),
        largest=int(dataset.sizes.max()),
        elements=len(np.unique(dataset.species)),
        periodic=bool(dataset.periodic.all(1).any()),
        neighbours=_neighbours(dataset),
        bytes=file.stat().st_size,
    )


def _neighbours(dataset: Dataset) -> tuple[float, ...]:
    from vesin import NeighborList

    search = NeighborList(cutoff=FARTHEST, full_list=True, n_threads=1)
    chosen = np.unique(np.linspace(0, len(dataset) - 1, SAMPLE).astype(int))
    counts = np.zeros(FARTHEST)  # (radii,)
    for m in chosen:
        atoms = slice(dataset.offsets[m], dataset.offsets[m + 1])
        (distances,) = search.compute(
            dataset.positions[atoms], dataset.cells[m], dataset.periodic[m], quantities="d"
        )
        counts += np.histogram(distances, np.arange(FARTHEST + 1))[0]
    means = counts.cumsum() / dataset.sizes[chosen].sum()
    return tuple(round(mean, 3) for mean in means.tolist())
