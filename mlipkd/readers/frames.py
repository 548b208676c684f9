"""Frames of molecular dynamics: blocks of one composition in one box, cut into runs by time."""

from itertools import pairwise

import numpy as np

from mlipkd.datasets.blocks import Block
from mlipkd.errors import InputError

#: Boxes that differ by less are the same, Å; files keep them in single precision.
SAME_BOX = 1e-3


def frames(
    place: str,
    species: np.ndarray,
    positions: np.ndarray,
    forces: np.ndarray,
    cells: np.ndarray | None,
    runs: int,
) -> Block:
    """The frames of one file, in time's order, in Å and eV.

    Each of the ``runs`` of consecutive frames is a group. Frames at the ends of neighbouring runs
    are alike as ever: few, where runs are long.

    Args:
        place: the file.
        species: (beads,).
        positions: (frames, beads, 3).
        forces: (frames, beads, 3).
        cells: (frames, 3, 3), or none for free systems.
        runs: how many; as many as frames, if these are fewer.
    """
    count = min(runs, len(positions))
    numbers = np.arange(len(positions)) * count // max(1, len(positions))  # (frames,)
    return Block(
        place=place,
        species=species,
        positions=positions,
        labels={"forces": forces},
        cells=cells,
        groups=np.array([f"{place}: run {number}" for number in numbers]),
    )


def one_system(blocks: list[Block]) -> list[Block]:
    """The blocks, if all their frames are of one composition in one box.

    Raises:
        InputError: they are not.
    """
    for one, other in pairwise(blocks):
        if not np.array_equal(one.species, other.species):
            raise InputError(
                f"{other.place}: expected the beads of {one.place} in the same order, got "
                f"{_composition(other)} and not {_composition(one)}, or in another order; "
                "make a dataset of each system"
            )
        if (one.cells is None) != (other.cells is None):
            boxed, free = (one, other) if other.cells is None else (other, one)
            raise InputError(
                f"{free.place}: expected a box as in {boxed.place}, got none; make a dataset of "
                "each"
            )
    for block in blocks:
        if block.cells is None or len(block) == 0:
            continue
        first = next(b.cells[0] for b in blocks if b.cells is not None and len(b))
        differ = np.flatnonzero(np.abs(block.cells - first).max((1, 2)) > SAME_BOX)
        if len(differ):
            raise InputError(
                f"{block.place}: expected one box in all frames, got "
                f"{_edges(block.cells[differ[0]])} in frame {differ[0]} and {_edges(first)} Å in "
                "the first; take dynamics at constant volume, and a dataset for each box"
            )
    return blocks


def _composition(block: Block) -> str:
    species, counts = np.unique(block.species, return_counts=True)
    return ", ".join(f"{n} of species {z}" for z, n in zip(species, counts, strict=True))


def _edges(cell: np.ndarray) -> str:
    return " × ".join(f"{edge:.4f}" for edge in np.linalg.norm(cell, axis=1))
