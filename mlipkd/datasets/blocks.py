"""Blocks: configurations of the same atoms in the same order, as every source yields them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from mlipkd.datasets.dataset import (
    HEAVIEST,
    UNUSED,
    Bead,
    Dataset,
    columns_of,
    label_shape,
    offsets_from,
)
from mlipkd.errors import InputError


@dataclass(frozen=True)
class Block:
    """Configurations of the same atoms in the same order, in Å and eV, forces being forces."""

    place: str
    """Where it comes from: file, and the group in it."""
    species: np.ndarray
    """(atoms,) atomic numbers, or species of beads."""
    positions: np.ndarray
    """(configurations, atoms, 3)."""
    labels: dict[str, np.ndarray]
    """(configurations, …) of each quantity."""
    cells: np.ndarray | None = None
    """(configurations, 3, 3); none for free systems."""
    periodic: np.ndarray | None = None
    """(configurations, 3); if left out, all directions if there are cells, else none."""
    groups: np.ndarray | None = None
    """(configurations,) name of the trajectory or molecule of each; if left out, the place."""
    kind: str = ""
    """What its configurations are (``ts``, ``far``, …), if their source distinguishes kinds."""

    def __len__(self) -> int:
        """Number of configurations."""
        return len(self.positions)


def assemble(
    name: str, blocks: Iterable[Block], provenance: dict, beads: tuple[Bead, ...] = ()
) -> Dataset:
    """One dataset of all blocks' configurations.

    ``provenance["origins"]`` lists where each run of configurations comes from, and
    ``provenance["kinds"]`` of what kind each is.

    Raises:
        InputError: no configurations, arrays whose shapes do not fit, an empty molecule, an unknown
            element, or labels that only some blocks have.
    """
    blocks = [block for block in blocks if len(block)]
    if not blocks:
        raise InputError(f"{name}: expected configurations, found none; check the source's files")
    for block in blocks:
        _check(block, blocks[0])

    numbers: dict[object, int] = {}
    groups = [
        numbers.setdefault(group, len(numbers)) for block in blocks for group in _groups(block)
    ]
    lengths = [len(block) for block in blocks]
    return Dataset(
        name=name,
        species=np.concatenate([np.tile(b.species, len(b)) for b in blocks]).astype(np.uint8),
        positions=np.concatenate([b.positions.reshape(-1, 3) for b in blocks]).astype(np.float64),
        offsets=offsets_from(np.repeat([len(b.species) for b in blocks], lengths)),
        cells=np.concatenate([_cells(b) for b in blocks]).astype(np.float64),
        periodic=np.concatenate([_periodic(b) for b in blocks]).astype(bool),
        groups=np.array(groups, np.int64),
        splits=np.full(sum(lengths), UNUSED, np.uint8),
        labels={"reference": {label: _rows(blocks, label) for label in blocks[0].labels}},
        provenance={
            **provenance,
            "origins": _runs(blocks, [block.place for block in blocks]),
            "kinds": _runs(blocks, [block.kind for block in blocks]),
        },
        beads=beads,
    )


def _check(block: Block, first: Block) -> None:
    """Refuse a block that is wrong in itself, or does not go with the first."""
    configurations, atoms = len(block), len(block.species)
    if atoms == 0:
        raise InputError(f"{block.place}: expected atoms, got an empty molecule; remove it")
    if unknown := [int(number) for number in block.species if not 1 <= number <= HEAVIEST]:
        raise InputError(
            f"{block.place}: expected atomic numbers from 1 to {HEAVIEST}, got {unknown[0]}; "
            "fix or remove it in the source"
        )
    if set(block.labels) != set(first.labels):
        raise InputError(
            f"{block.place}: expected the labels {', '.join(first.labels) or 'none'} as in "
            f"{first.place}, got {', '.join(block.labels) or 'none'}; read them from separate files"
        )
    for what, values, shape in [
        ("positions", block.positions, (configurations, atoms, 3)),
        ("cells", _cells(block), (configurations, 3, 3)),
        *(
            (label, values, (configurations, *label_shape(label, atoms)))
            for label, values in block.labels.items()
        ),
    ]:
        if values.shape != shape:
            raise InputError(
                f"{block.place}: expected {what} of shape {shape} ({configurations} "
                f"configurations of {atoms} atoms), got {values.shape}; fix or remove it in the "
                "source"
            )


def _cells(block: Block) -> np.ndarray:
    return np.zeros((len(block), 3, 3)) if block.cells is None else block.cells


def _periodic(block: Block) -> np.ndarray:
    if block.periodic is not None:
        return block.periodic
    return np.full((len(block), 3), block.cells is not None)


def _groups(block: Block) -> Iterator[object]:
    if block.groups is None:
        return iter([block.place] * len(block))
    return iter(np.asarray(block.groups).tolist())


def _rows(blocks: list[Block], label: str) -> np.ndarray:
    """A label over all blocks, in the rows of a dataset: (rows, …)."""
    values = [block.labels[label].reshape(-1, *columns_of(label)) for block in blocks]
    return np.concatenate(values).astype(np.float64)


def _runs(blocks: list[Block], names: list[str]) -> list[tuple[int, str]]:
    """Runs of configurations that share a name: the first of each, and the name."""
    runs: list[tuple[int, str]] = []
    first = 0
    for block, name in zip(blocks, names, strict=True):
        if not runs or runs[-1][1] != name:
            runs.append((first, name))
        first += len(block)
    return runs
