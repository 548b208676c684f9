"""Frames of one molecule's beads that were mapped elsewhere, as two NumPy arrays.

Layout: positions and forces (frames, beads, 3) in files of their own, without a box. Forces are
forces. The alanine dipeptide of CGnet (Wang et al., ACS Cent. Sci. 5, 755 (2019)) comes so.
"""

import numpy as np

from mlipkd.config.sources import MappedNumPy
from mlipkd.datasets.blocks import Block
from mlipkd.datasets.dataset import Bead
from mlipkd.errors import InputError
from mlipkd.readers.frames import frames
from mlipkd.units import FORCE, LENGTH


def read(source: MappedNumPy) -> tuple[tuple[Bead, ...], list[Block]]:
    """The beads and one block.

    Raises:
        InputError: a file that cannot be read, or arrays whose shapes do not go together.
    """
    positions, forces = (_load(path) for path in (source.positions, source.forces))
    if positions.ndim != 3 or positions.shape[1:] != (len(source.beads), 3):
        raise InputError(
            f"{source.positions}: expected positions of shape (frames, {len(source.beads)}, 3) for "
            f"{', '.join(source.beads)}, got {positions.shape}; give each bead a name and a mass"
        )
    if forces.shape != positions.shape:
        raise InputError(
            f"{source.forces}: expected forces of shape {positions.shape} as the positions have, "
            f"got {forces.shape}; give the file that goes with {source.positions}"
        )
    block = frames(
        place=source.positions,
        species=np.arange(1, len(source.beads) + 1),
        positions=positions * LENGTH[source.length_unit],
        forces=forces * FORCE[source.force_unit],
        cells=None,
        runs=source.blocks,
    )
    return tuple(Bead(name, mass) for name, mass in source.beads.items()), [block]


def _load(path: str) -> np.ndarray:
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError, MemoryError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"{path}: expected numbers in NumPy's .npy, got a file that is none ({reason}); check "
            "the path, or save it anew with numpy.save"
        ) from error
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiu":
        raise InputError(f"{path}: expected one array of numbers in .npy; save it with numpy.save")
    return values.astype(float)
