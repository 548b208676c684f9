"""OpenREACT-CHON-EFH (A. Rodriguez et al., doi 10.6084/m9.figshare.29189858): reacting molecules.

Layout: groups at any depth, each of the configurations of one molecule, with `species` (atoms),
symbols or atomic numbers, `coordinates` (configurations, atoms, 3), `energies` (configurations),
`forces` as coordinates, and `hessian`: (configurations, 3 atoms, 3 atoms), or the same with an axis
for atoms and one for directions in place of each of the last two. A group of one configuration may
leave the first axis out. Other arrays are passed over.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field

from mlipkd.config.section import EnergyUnit, Files, ForceUnit, HessianUnit, LengthUnit, Name
from mlipkd.datasets.blocks import Block
from mlipkd.datasets.dataset import Dataset
from mlipkd.errors import InputError
from mlipkd.readers import pyanitools
from mlipkd.readers.source import Source
from mlipkd.units import ENERGY, FORCE, HESSIAN, LENGTH

if TYPE_CHECKING:
    import h5py


class OpenReact(Source):
    """The layout of OpenREACT-CHON-EFH: groups of free molecules with `energies`, `forces` and
    `hessian`."""

    reader: Literal["openreact"]
    files: Files | Annotated[dict[Name, Files], Field(min_length=1)]
    """Paths of the HDF5 files; or such lists by the kind of their configurations, as
    `{rtp: [molecules-RTP.h5], nms: [molecules-NMS.h5]}`."""
    energy_unit: EnergyUnit = "Ha"
    """Unit of the energies as they stand in the files."""
    length_unit: LengthUnit = "Å"
    """Unit of the positions as they stand in the files."""
    force_unit: ForceUnit = "Ha/Å"
    """Unit of the forces as they stand in the files."""
    hessian_unit: HessianUnit = "Ha/Å^2"
    """Unit of the Hessians as they stand in the files."""
    force_sign: Literal[1, -1] = 1
    """1 if the files hold forces, -1 if they hold gradients."""

    def read(self, name: str) -> Dataset:
        """One block for each group of the files, which is a group of the dataset, too."""
        return self._dataset(name, self._blocks())

    def _blocks(self) -> Iterator[Block]:
        for kind, paths in self._files_by_kind.items():
            for path in paths:
                for place, group in pyanitools.groups_with(path, "hessian"):
                    yield _block(self, place, group, kind)

    @property
    def _files_by_kind(self) -> dict[str, list[str]]:
        return self.files if isinstance(self.files, dict) else {"": self.files}

    @property
    def paths(self) -> list[str]:
        return [path for paths in self._files_by_kind.values() for path in paths]

    @property
    def has_hessians(self) -> bool:
        return True

    @classmethod
    def recognise(cls, keys: set[str]) -> dict[str, str | None] | None:
        return {} if {"species", "energies", "forces", "hessian"} <= keys else None


def _block(source: OpenReact, place: str, group: "h5py.Group", kind: str) -> Block:
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


def _species(place: str, group: "h5py.Group") -> np.ndarray:
    import h5py

    stored = group.get("species")
    if isinstance(stored, h5py.Dataset) and stored.dtype.kind in "iu":
        return pyanitools.array(place, group, "species").ravel()
    return pyanitools.species(place, group)


def _shaped(place: str, group: "h5py.Group", key: str, shapes: list[tuple[int, ...]]) -> np.ndarray:
    """An array of one of the shapes for each configuration, in double precision."""
    values = pyanitools.array(place, group, key).astype(float)
    for shape in shapes:
        if values.shape == shape and shape:
            return values[None]
        if values.shape[1:] == shape and values.ndim == len(shape) + 1:
            return values
    expected = " or ".join(str(("configurations", *shape)) for shape in shapes)
    raise InputError(
        f"{place}: expected {key!r} of shape {expected.replace(chr(39), '')}, got {values.shape}; "
        "fix or remove the group"
    )
