"""Frames of molecular dynamics with beads, and frames that were mapped to beads elsewhere.

HDF5: one group with `positions` and `forces` (frames, beads, 3), `species` (beads,) from 1, `mass`
(beads,) in u and `box` (frames, 3), the edges of a right-angled box.

NumPy: one molecule's positions and forces (frames, beads, 3) in two files, without a box. The
alanine dipeptide of CGnet (Wang et al., ACS Cent. Sci. 5, 755 (2019)) comes so.

Forces are forces in both.
"""

from itertools import pairwise
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, PositiveFloat, PositiveInt

from mlipkd.config.section import Files, ForceUnit, LengthUnit, Name
from mlipkd.datasets.blocks import Block
from mlipkd.datasets.dataset import Bead, Dataset
from mlipkd.errors import InputError
from mlipkd.imports import on_one_line
from mlipkd.readers import pyanitools
from mlipkd.readers.source import Source
from mlipkd.units import FORCE, LENGTH

#: Boxes that differ by less are the same, Å; files keep them in single precision.
SAME_BOX = 1e-3


class Frames(Source):
    """What frames of molecular dynamics with beads have in common."""

    blocks: PositiveInt = 20
    """How many runs of consecutive frames each file is cut into; each is a group for the split,
    since frames near in time are alike."""

    def block(
        self,
        place: str,
        species: np.ndarray,
        positions: np.ndarray,
        forces: np.ndarray,
        cells: np.ndarray | None,
    ) -> Block:
        """The frames of one file in the order of time, in Å and eV; each run of them is a group.

        Frames at the ends of neighbouring runs are alike as ever: few, where runs are long.

        Args:
            place: the file.
            species: (beads,).
            positions: (frames, beads, 3).
            forces: (frames, beads, 3).
            cells: (frames, 3, 3), or none for free systems.
        """
        count = min(self.blocks, len(positions))
        runs = np.arange(len(positions)) * count // max(1, len(positions))  # (frames,)
        return Block(
            place=place,
            species=species,
            positions=positions,
            labels={"forces": forces},
            cells=cells,
            groups=np.array([f"{place}: run {run}" for run in runs]),
        )


class Mapped(Frames):
    """Frames mapped before, which say no temperature."""

    temperature: PositiveFloat
    """Temperature of the dynamics, K; sign and unit of the forces are checked by it."""


class MappedHDF5(Mapped):
    """Frames mapped before: HDF5 with `positions`, `forces`, `species`, `mass` and `box`."""

    reader: Literal["mapped-hdf5"]
    files: Files
    """Paths of the HDF5 files."""
    group: str = "cg"
    """The group that holds the arrays."""
    beads: Annotated[list[Name], Field(min_length=1)]
    """Names of the species 1, 2, … of the file."""
    force_unit: ForceUnit
    """Unit of the forces as they stand in the file."""
    length_unit: LengthUnit = "Å"
    """Unit of positions and box as they stand in the file."""

    def read(self, name: str) -> Dataset:
        """One block for each file.

        Raises:
            InputError: a file without the layout, species or masses that do not go with the beads'
                names, or frames of several systems.
        """
        read = [self._file(path) for path in self.files]
        beads, _ = read[0]
        for path, (others, _) in zip(self.files, read, strict=True):
            if others != beads:
                raise InputError(
                    f"{path}: expected the masses of {self.files[0]}, got others; make a dataset "
                    "of each system"
                )
        return self._dataset(name, one_system([block for _, block in read]), beads=beads)

    def _file(self, path: str) -> tuple[tuple[Bead, ...], Block]:
        import h5py

        from mlipkd.datasets.file import open_hdf5

        length = LENGTH[self.length_unit]
        with open_hdf5(path) as file:
            group = file.get(self.group)
            if not isinstance(group, h5py.Group):
                raise InputError(
                    f"{path}: expected the group {self.group!r}, found "
                    f"{', '.join(file) or 'nothing'}; set group to its name"
                )
            arrays = {
                key: pyanitools.array(f"{path}:{group.name}", group, key)
                for key in ("species", "mass", "positions", "forces", "box")
            }
        positions, box = arrays["positions"], arrays["box"]
        if box.shape != (len(positions), 3):
            raise InputError(
                f"{path}: expected the edges of a right-angled box of shape ({len(positions)}, 3), "
                f"got {box.shape}; fix the file"
            )
        beads = _beads(path, arrays["species"], arrays["mass"], self.beads)
        block = self.block(
            place=path,
            species=arrays["species"],
            positions=positions.astype(float) * length,
            forces=arrays["forces"].astype(float) * FORCE[self.force_unit],
            cells=box.astype(float)[:, :, None] * length * np.eye(3),
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
        different = np.unique(masses[species == number])  # (masses,)
        if len(different) > 1 or not different[0] > 0:
            raise InputError(
                f"{path}: expected one mass above 0 for {name!r}, got {different[:3].tolist()} u; "
                "fix the file"
            )
        beads.append(Bead(name, float(different[0])))
    return tuple(beads)


class MappedNumPy(Mapped):
    """One molecule's frames, mapped before, without a box: two arrays (frames, beads, 3)."""

    reader: Literal["mapped-numpy"]
    positions: str
    """Path of the positions, .npy."""
    forces: str
    """Path of the forces, .npy."""
    beads: Annotated[dict[Name, PositiveFloat], Field(min_length=1)]
    """Mass in u of each bead, in the order of the arrays; each is a different species."""
    force_unit: ForceUnit
    """Unit of the forces as they stand in the file."""
    length_unit: LengthUnit = "Å"
    """Unit of the positions as they stand in the file."""

    @property
    def paths(self) -> list[str]:
        return [self.positions, self.forces]

    def read(self, name: str) -> Dataset:
        """One block.

        Raises:
            InputError: a file that cannot be read, or arrays whose shapes do not go together.
        """
        positions, forces = _load(self.positions), _load(self.forces)
        if positions.ndim != 3 or positions.shape[1:] != (len(self.beads), 3):
            raise InputError(
                f"{self.positions}: expected positions of shape (frames, {len(self.beads)}, 3) for "
                f"{', '.join(self.beads)}, got {positions.shape}; give each bead a name and a mass"
            )
        if forces.shape != positions.shape:
            raise InputError(
                f"{self.forces}: expected forces of shape {positions.shape} as the positions have, "
                f"got {forces.shape}; give the file that goes with {self.positions}"
            )
        block = self.block(
            place=self.positions,
            species=np.arange(1, len(self.beads) + 1),
            positions=positions * LENGTH[self.length_unit],
            forces=forces * FORCE[self.force_unit],
            cells=None,
        )
        beads = tuple(Bead(bead, mass) for bead, mass in self.beads.items())
        return self._dataset(name, [block], beads=beads)


def _load(path: str) -> np.ndarray:
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError, MemoryError) as error:
        raise InputError(
            f"{path}: expected numbers in NumPy's .npy, got a file that is none "
            f"({on_one_line(error)}); check the path, or save it anew with numpy.save"
        ) from error
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiu":
        raise InputError(f"{path}: expected one array of numbers in .npy; save it with numpy.save")
    return values.astype(float)


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
