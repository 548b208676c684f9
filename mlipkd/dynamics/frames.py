"""Frames of dynamics: one made of arrays, many made a dataset, and when they had come to rest."""

import logging
from collections.abc import Sequence

import numpy as np
from ase import Atoms

from mlipkd.datasets.dataset import UNUSED, Bead, Dataset, offsets_from


def moved(start: Atoms, positions: np.ndarray, momenta: np.ndarray) -> Atoms:
    """A structure with other positions, Å, and momenta: (atoms, 3) each."""
    frame = start.copy()
    frame.set_positions(positions)
    frame.set_momenta(momenta)
    return frame


def came_to_rest(energies: Sequence[float]) -> int:
    """The number of the frame at which the potential energy had come to rest.

    After J. D. Chodera, J. Chem. Theory Comput. 12, 1799 (2016), by pymbar.
    """
    # On import it says at length what is not installed.
    logging.getLogger("pymbar").setLevel(logging.ERROR)
    from pymbar.timeseries import detect_equilibration

    return int(detect_equilibration(np.array(energies))[0])


def dataset_of(
    name: str,
    frames: Sequence[Atoms],
    energies: Sequence[float],
    groups: Sequence[int],
    record: dict,
    beads: tuple[Bead, ...] = (),
) -> Dataset:
    """Periodic frames with the energies, eV, of the model that made them; of no split.

    Args:
        name: of the dataset.
        frames: whatever their atoms and cells.
        energies: of each.
        groups: the trajectory that each belongs to.
        record: where they came from.
        beads: the species, where these are beads.
    """
    return Dataset(
        name=name,
        species=np.concatenate([frame.numbers for frame in frames]).astype(np.uint8),
        positions=np.concatenate([frame.get_positions(wrap=True) for frame in frames]),
        offsets=offsets_from(np.array([len(frame) for frame in frames])),
        cells=np.stack([frame.cell.array for frame in frames]),
        periodic=np.ones((len(frames), 3), bool),
        groups=np.array(groups, np.int64),
        splits=np.full(len(frames), UNUSED, np.uint8),
        labels={"reference": {"energy": np.array(energies)}},
        provenance=record,
        beads=beads,
    )
