"""The ANI-Al release (Smith et al., Nat. Commun. 12, 1257 (2021)): aluminium in periodic boxes.

Layout: groups with `species` (atoms), `coordinates` (configurations, atoms, 3), `cell`, `energy`,
and `force`, which is the gradient +dE/dR.
"""

from collections.abc import Iterator

import numpy as np

from mlipkd.config.sources import AniAl
from mlipkd.datasets.blocks import Block
from mlipkd.readers import pyanitools
from mlipkd.units import HARTREE

ENERGY_UNIT = HARTREE
FORCE_UNIT = HARTREE  # per Å
FORCE_SIGN = -1

#: A cell that changes by more than this part of its length belongs to another trajectory.
CELL_JUMP = 0.01
#: Atoms that move by more than this from one configuration to the next do, too; Å, rms.
ATOM_JUMP = 1.0


def read(source: AniAl) -> Iterator[Block]:
    """Blocks of the files' groups, grouped by trajectory.

    A release does not name trajectories; a new one starts where cell or atoms jump.
    """
    for path in source.files:
        for place, group in pyanitools.groups_with(path, "species"):
            positions = pyanitools.array(place, group, "coordinates").astype(float)
            cells = pyanitools.array(place, group, "cell").astype(float)
            energy = pyanitools.array(place, group, "energy").astype(float)
            forces = pyanitools.array(place, group, "force").astype(float)
            yield Block(
                place=place,
                species=pyanitools.species(place, group),
                positions=positions,
                cells=cells,
                labels={
                    "energy": energy * ENERGY_UNIT,
                    "forces": forces * FORCE_SIGN * FORCE_UNIT,
                },
                groups=np.array([f"{place}/{t}" for t in trajectories(positions, cells)]),
            )


def trajectories(positions: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Number of each configuration's trajectory: (configurations,)."""
    shapes_fit = positions.ndim == 3 and cells.shape == (len(positions), 3, 3)
    if len(positions) < 2 or not shapes_fit or not np.linalg.det(cells).all():
        return np.zeros(len(positions), int)  # what is wrong is found by the checks
    lengths = np.linalg.norm(cells, axis=2).max(1)  # (configurations,)
    cell_changes = np.abs(np.diff(cells, axis=0)).max((1, 2)) / lengths[1:]  # (configurations - 1,)
    fractions = np.einsum("mai,mij->maj", np.diff(positions, axis=0), np.linalg.inv(cells[1:]))
    nearest = (fractions - np.round(fractions)) @ cells[1:]  # (configurations - 1, atoms, 3)
    moves = np.sqrt((nearest**2).sum(2).mean(1))  # (configurations - 1,)
    jumps = (cell_changes > CELL_JUMP) | (moves > ATOM_JUMP)
    return np.concatenate([[0], np.cumsum(jumps)])
