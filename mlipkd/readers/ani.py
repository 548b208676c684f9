"""The releases of the ANI models: ANI-Al, ANI-1x/1ccx and COMP6, HDF5 in Hartree and Å.

ANI-Al (Smith et al., Nat. Commun. 12, 1257 (2021)), aluminium in periodic boxes: groups with
`species` (atoms), `coordinates` (configurations, atoms, 3), `cell`, `energy`, and `force`, which is
the gradient +dE/dR.

ANI-1x/1ccx (Smith et al., Sci. Data 7, 134 (2020)), CHNO molecules at many levels of theory: a
group for each formula with `atomic_numbers` (atoms), `coordinates` (configurations, atoms, 3) and
one array for each level and quantity, NaN where that level was not computed. Its forces are true
forces.

COMP6 v1 (Smith et al., J. Chem. Phys. 148, 241733 (2018)), conformers of larger CHNO molecules:
subset/molecule groups with `species` (atoms), `coordinates` (conformers, atoms, 3), `energies`, and
`forces`, which are gradients +dE/dR unless the source says that others wrote true forces in this
layout; the CC-COMP6 release has no forces.
"""

from collections.abc import Iterator
from typing import Literal

import numpy as np

from mlipkd.config.section import Files
from mlipkd.datasets.blocks import Block
from mlipkd.datasets.dataset import Dataset
from mlipkd.errors import InputError
from mlipkd.readers import pyanitools
from mlipkd.readers.source import Source
from mlipkd.units import HARTREE

#: A cell that changes by more than this part of its length belongs to another trajectory.
CELL_JUMP = 0.01
#: Atoms that move by more than this from one configuration to the next do, too; Å, rms.
ATOM_JUMP = 1.0


class AniAl(Source):
    """The layout of the ANI-Al release: pyanitools groups with `cell` and `force` = +dE/dR."""

    reader: Literal["ani-al"]
    files: Files
    """Paths of the HDF5 files."""

    def read(self, name: str) -> Dataset:
        """One block for each group of the files; its configurations are grouped by trajectory.

        A release does not name trajectories; a new one starts where cell or atoms jump.
        """
        return self._dataset(name, self._blocks())

    def _blocks(self) -> Iterator[Block]:
        for path in self.files:
            for place, group in pyanitools.groups_with(path, "species"):
                positions = pyanitools.array(place, group, "coordinates").astype(float)
                cells = pyanitools.array(place, group, "cell").astype(float)
                energy = pyanitools.array(place, group, "energy").astype(float)
                gradient = pyanitools.array(place, group, "force").astype(float)
                yield Block(
                    place=place,
                    species=pyanitools.species(place, group),
                    positions=positions,
                    cells=cells,
                    labels={"energy": energy * HARTREE, "forces": -gradient * HARTREE},
                    groups=np.array([f"{place}/{t}" for t in trajectories(positions, cells)]),
                )

    @classmethod
    def recognise(cls, keys: set[str]) -> dict[str, str | None] | None:
        return {} if {"species", "cell", "force"} <= keys else None


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


class Ani1x(Source):
    """The layout of the ANI-1x/1ccx release: one group per formula, several levels of theory."""

    reader: Literal["ani1x"]
    files: Files
    """Paths of the HDF5 files."""
    energy: str
    """Energy key, e.g. `ccsd(t)_cbs.energy`; configurations without it are left out."""
    forces: str | None = None
    """Key of the true forces, e.g. `wb97x_dz.forces`; none if training must not see any."""

    def read(self, name: str) -> Dataset:
        """One block for each formula of the files, without configurations that lack the energy.

        A note says how many those are; forces that are missing stay NaN.
        """
        notes: list[str] = []
        return self._dataset(name, self._blocks(notes), masked=("forces",), notes=notes)

    def _blocks(self, notes: list[str]) -> Iterator[Block]:
        without, total = 0, 0
        for path in self.files:
            for place, group in pyanitools.groups_with(path, "atomic_numbers"):
                species = pyanitools.array(place, group, "atomic_numbers")
                energy = pyanitools.array(place, group, self.energy)
                keys = {"positions": "coordinates", "forces": self.forces}
                arrays = {
                    what: _like(place, key, energy, pyanitools.array(place, group, key))
                    for what, key in keys.items()
                    if key
                }
                there = ~np.isnan(energy)  # (configurations,)
                labels = {"energy": energy[there].astype(float) * HARTREE}
                if "forces" in arrays:
                    labels["forces"] = arrays["forces"][there] * HARTREE
                without += len(energy) - len(labels["energy"])
                total += len(energy)
                yield Block(
                    place=place if there.all() else f"{place}, of those with {self.energy}",
                    species=species,
                    positions=arrays["positions"][there],
                    labels=labels,
                    groups=np.full(there.sum(), group.name),
                )
        if without:
            notes.append(
                f"left out {without} of {total} configurations, which have no {self.energy}"
            )

    @classmethod
    def recognise(cls, keys: set[str]) -> dict[str, str | None] | None:
        levels = sorted(key.removesuffix(".energy") for key in keys if key.endswith(".energy"))
        if "atomic_numbers" not in keys or not levels:
            return None
        with_forces = [level for level in levels if f"{level}.forces" in keys]
        level = (with_forces or levels)[0]
        forces = f"{level}.forces" if with_forces else None
        return {"energy": f"{level}.energy", "forces": forces}


def _like(place: str, key: str, energy: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Values with a row for each energy, in double precision."""
    if energy.ndim != 1 or len(values) != len(energy):
        raise InputError(
            f"{place}: expected a row of {key!r} for each energy, got shapes {values.shape} and "
            f"{energy.shape}; fix the file"
        )
    return values.astype(float)


class Comp6(Source):
    """The layout of COMP6 v1: subset/molecule groups with `energies` and `forces` = +dE/dR."""

    reader: Literal["comp6"]
    files: Files
    """Paths of the HDF5 files."""
    force_sign: Literal[1, -1] = -1
    """-1 if the file holds gradients, as COMP6 does; 1 if others wrote forces in its layout."""

    def read(self, name: str) -> Dataset:
        """One block for each molecule of the files, each a separate group."""
        return self._dataset(name, self._blocks())

    def _blocks(self) -> Iterator[Block]:
        for path in self.files:
            for place, group in pyanitools.groups_with(path, "species"):
                energy = pyanitools.array(place, group, "energies").astype(float)
                labels = {"energy": energy * HARTREE}
                if "forces" in group:
                    forces = pyanitools.array(place, group, "forces").astype(float)
                    labels["forces"] = forces * self.force_sign * HARTREE
                yield Block(
                    place=place,
                    species=pyanitools.species(place, group),
                    positions=pyanitools.array(place, group, "coordinates").astype(float),
                    labels=labels,
                )

    @property
    def undeclared(self) -> tuple[str, ...]:
        return ("force_sign",)

    @classmethod
    def recognise(cls, keys: set[str]) -> dict[str, str | None] | None:
        curved = {"forces", "hessian"} <= keys  # the layout of openreact
        return {} if {"species", "energies"} <= keys and not curved else None
