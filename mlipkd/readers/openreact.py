"""OpenREACT-CHON-EFH (A. Rodriguez et al., doi 10.6084/m9.figshare.29189858): reacting molecules.

Layout: groups at any depth, each of the configurations of one molecule, with `species` (atoms),
symbols or atomic numbers, `coordinates` (configurations, atoms, 3), `energies` (configurations),
`forces` as coordinates, and `hessian`: (configurations, 3 atoms, 3 atoms), or the same with an axis
for atoms and one for directions in place of each of the last two. A group of one configuration may
leave the first axis out. Other arrays are passed over.
"""

from collections.abc import Iterator

import h5py
import numpy as np

from mlipkd.config.sources import OpenReact
from mlipkd.datasets.blocks import Block
from mlipkd.errors import InputError
from mlipkd.readers import pyanitools
from mlipkd.units import ENERGY, FORCE, HESSIAN, LENGTH


def read(source: OpenReact) -> Iterator[Block]:
    """Blocks of the files' groups, each a group of its own.

    Raises:
        InputError: a file without the layout.
    """
    files = source.files if isinstance(source.files, dict) else {"": source.files}
    for kind, paths in files.items():
        for path in paths:
            for place, group in pyanitools.groups_with(path, "hessian"):
                yield _block(source, place, group, kind)


def _block(source: OpenReact, place: str, group: h5py.Group, kind: str) -> Block:
    species = _species(place, group)
    n = len(species)
    hessian = _shaped(place, group, "hessian", [(3 * n, 3 * n), (n, 3, n, 3)])
    blocks = hessian.reshape(-1, n, 3, n, 3).swapaxes(2, 3)  # (configurations, atoms, atoms, 3, 3)
    forces = _shaped(place, group, "forces", [(n, 3)])
    return Block(
        place=place,
        species=species,
        positions=_shaped(place, group, "coordinates", [(n, 3)]) * LENGTH[source.length_unit],
        labels={
            "energy": _shaped(place, group, "energies", [()]) * ENERGY[source.energy_unit],
            "forces": forces * (source.force_sign * FORCE[source.force_unit]),
            "hessian": blocks * HESSIAN[source.hessian_unit],
        },
        kind=kind,
    )


def _species(place: str, group: h5py.Group) -> np.ndarray:
    stored = group.get("species")
    if isinstance(stored, h5py.Dataset) and stored.dtype.kind in "iu":
        return pyanitools.array(place, group, "species").ravel()
    return pyanitools.species(place, group)


def _shaped(place: str, group: h5py.Group, key: str, shapes: list[tuple[int, ...]]) -> np.ndarray:
    """An array of one of the shapes for each configuration, in double precision."""
    values = pyanitools.array(place, group, key).astype(float)
    for shape in shapes:
        if values.shape == shape and shape:
            return values[None]
        if values.shape[1:] == shape and values.ndim == len(shape) + 1:
            return values
    wanted = " or ".join(str(("configurations", *shape)) for shape in shapes)
    raise InputError(
        f"{place}: expected {key!r} of shape {wanted.replace(chr(39), '')}, got {values.shape}; "
        "fix or remove the group"
    )
