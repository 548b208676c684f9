"""Frames of beads that were mapped elsewhere, in HDF5.

Layout: one group with `positions` and `forces` (frames, beads, 3), `species` (beads,) from 1,
`mass` (beads,) in u and `box` (frames, 3), the edges of a right-angled box. Forces are forces.
"""

import h5py
import numpy as np

from mlipkd.config.sources import MappedHDF5
from mlipkd.datasets.blocks import Block
from mlipkd.datasets.dataset import Bead
from mlipkd.datasets.file import open_hdf5
from mlipkd.errors import InputError
from mlipkd.readers import pyanitools
from mlipkd.readers.frames import frames, one_system
from mlipkd.units import FORCE, LENGTH


def read(source: MappedHDF5) -> tuple[tuple[Bead, ...], list[Block]]:
    """The beads and a block for each file.

    Raises:
        InputError: a file without the layout, species or masses that do not go with the beads'
            names, or frames of several systems.
    """
    read = [_read(path, source) for path in source.files]
    beads, _ = read[0]
    for path, (others, _) in zip(source.files, read, strict=True):
        if others != beads:
            raise InputError(
                f"{path}: expected the masses of {source.files[0]}, got others; make a dataset of "
                "each system"
            )
    return beads, one_system([block for _, block in read])


def _read(path: str, source: MappedHDF5) -> tuple[tuple[Bead, ...], Block]:
    length = LENGTH[source.length_unit]
    with open_hdf5(path) as file:
        group = file.get(source.group)
        if not isinstance(group, h5py.Group):
            raise InputError(
                f"{path}: expected the group {source.group!r}, found "
                f"{', '.join(file) or 'nothing'}; set group to its name"
            )
        arrays = {
            key: pyanitools.array(f"{path}:{group.name}", group, key)
            for key in ("species", "mass", "positions", "forces", "box")
        }
    positions, box = arrays["positions"], arrays["box"]
    if box.shape != (len(positions), 3):
        raise InputError(
            f"{path}: expected the edges of a right-angled box of shape ({len(positions)}, 3), got "
            f"{box.shape}; fix the file"
        )
    beads = _beads(path, arrays["species"], arrays["mass"], source.beads)
    block = frames(
        place=path,
        species=arrays["species"],
        positions=positions.astype(float) * length,
        forces=arrays["forces"].astype(float) * FORCE[source.force_unit],
        cells=box.astype(float)[:, :, None] * length * np.eye(3),
        runs=source.blocks,
    )
    return beads, block


def _beads(
    path: str, species: np.ndarray, masses: np.ndarray, names: list[str]
) -> tuple[Bead, ...]:
    present = np.unique(species).tolist()
    if present != list(range(1, len(names) + 1)) or len(set(names)) < len(names):
        raise InputError(
            f"{path}: expected a name of its own for each of the species {present}, got "
            f"{', '.join(names)} for 1 to {len(names)}; give the beads in the order of the file"
        )
    if masses.shape != species.shape:
        raise InputError(
            f"{path}: expected a mass for each of {len(species)} beads, got shape {masses.shape}; "
            "fix the file"
        )
    beads = []
    for number, name in enumerate(names, start=1):
        found = np.unique(masses[species == number])  # (masses,)
        if len(found) > 1 or not found[0] > 0:
            raise InputError(
                f"{path}: expected one mass above 0 for {name!r}, got {found[:3].tolist()} u; "
                "fix the file"
            )
        beads.append(Bead(name, float(found[0])))
    return tuple(beads)
