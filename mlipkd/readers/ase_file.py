"""Anything ASE reads: extended XYZ, ASE databases, output of electronic-structure codes.

Units and the force sign are the configuration's, since such files seldom state them.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
from pydantic import model_validator

from mlipkd.config.functions import Calculator
from mlipkd.config.section import EnergyUnit, Files, LengthUnit
from mlipkd.datasets.blocks import Block
from mlipkd.datasets.dataset import Dataset
from mlipkd.errors import InputError
from mlipkd.imports import on_one_line
from mlipkd.readers.source import Source
from mlipkd.units import ENERGY, LENGTH

if TYPE_CHECKING:
    from ase import Atoms


class AseFile(Source):
    """Anything ASE reads: extended XYZ, ASE databases, VASP and CP2K output, and so on."""

    reader: Literal["ase"]
    files: Files
    """Paths of the files."""
    energy_key: str = "energy"
    """Name of the energy in `info`, or `energy` for the calculator's own."""
    forces_key: str | None = "forces"
    """Name of the forces in `arrays`, `forces` for the calculator's own, or none; a single
    atom needs none."""
    stress_key: str | None = None
    """Name of the stress in `info`, 3 × 3 or Voigt's 6, or `stress` for the calculator's own;
    positive under tension."""
    virial_key: str | None = None
    """Name of the virial in `info`, 3 × 3 or Voigt's 6, which is − stress · volume."""
    energy_unit: EnergyUnit = "eV"
    """Unit of the energies as they stand in the file; forces, stresses and virials go with it."""
    length_unit: LengthUnit = "Å"
    """Unit of the positions as they stand in the file; forces and stresses go with it."""
    force_sign: Literal[1, -1] = 1
    """1 if the file holds forces, -1 if it holds gradients."""
    group_key: str | None = None
    """Key in `info` that says which trajectory or molecule a configuration belongs to."""
    calculator: Calculator | None = None
    """A reference method: it computes energies and forces, and labels of the files are not read."""
    hessian: bool = False
    """Compute Hessians with it, too; of free molecules."""

    @model_validator(mode="after")
    def _labels_of_the_files_or_of_the_calculator(self) -> Self:
        if self.calculator is None:
            if self.hessian:
                raise ValueError(
                    "expected a calculator with hessian, as files that ASE reads hold none; name "
                    "one, or remove hessian"
                )
            return self
        defaults = type(self)(reader="ase", files=self.files)
        keys = ("energy_key", "forces_key", "stress_key", "virial_key", "energy_unit", "force_sign")
        if given := [key for key in keys if getattr(self, key) != getattr(defaults, key)]:
            raise ValueError(
                f"expected no {', '.join(given)} with a calculator, whose labels replace those of "
                "the files; remove either"
            )
        return self

    @model_validator(mode="after")
    def _stress_or_virial(self) -> Self:
        if self.stress_key and self.virial_key:
            raise ValueError(
                "expected stress_key or virial_key, which say the same, got both; remove one"
            )
        return self

    def read(self, name: str) -> Dataset:
        """One block for each configuration, labelled by the calculator if there is one.

        A single atom feels no force, whether the file says so or not. A stress is NaN where there
        is no volume, or where a single atom has none.
        """
        blocks = (
            self.block(path, index, atoms)
            for path in self.files
            for index, atoms in enumerate(configurations(path))
        )
        dataset = self._dataset(name, blocks, masked=self.masked)
        if self.calculator is None:
            return dataset
        from mlipkd.calculators.labelling import with_reference_labels

        return with_reference_labels(dataset, self.calculator, self.hessian)

    def block(self, place: str, index: int, atoms: "Atoms") -> Block:
        """One configuration with the labels that stand where this section says; no file is read.

        It has none if there is a calculator for them.

        Args:
            place: where it comes from.
            index: its number there.
            atoms: with labels.

        Raises:
            InputError: a label that is missing or has another shape.
        """
        length_unit = LENGTH[self.length_unit]
        where = f"{place}: configuration {index}"
        return Block(
            place=place,
            species=atoms.numbers,
            positions=atoms.positions[None] * length_unit,
            cells=atoms.cell.array[None] * length_unit,
            periodic=atoms.pbc[None],
            labels={} if self.calculator else _labels(where, atoms, self),
            groups=np.array([_group(where, place, atoms, self.group_key)]),
        )

    @property
    def masked(self) -> tuple[str, ...]:
        """The quantities that may be missing here and there."""
        return ("stress",) if self.stress_key or self.virial_key else ()

    @property
    def computes_labels(self) -> bool:
        return self.calculator is not None

    @property
    def has_hessians(self) -> bool:
        return self.hessian

    @property
    def undeclared(self) -> tuple[str, ...]:
        return ("length_unit", "energy_unit", "force_sign")


def configurations(path: str) -> Iterator["Atoms"]:
    """A file's configurations; whatever ASE's parsers raise names the file."""
    from ase.io import iread

    if not Path(path).is_file():
        raise InputError(f"{path}: expected a file, found none; check the path")
    read = (
        _rows_of_database(path)
        if Path(path).suffix == ".db"
        else iread(path, index=":", do_not_split_by_at_sign=True)
    )
    count = 0
    while True:
        try:
            atoms = next(read)
        except StopIteration:
            break
        except Exception as error:
            raise InputError(
                f"{path}: expected a file that ASE reads, got an error from it after {count} "
                f"configurations ({on_one_line(error)}); fix the file, or convert it to extended "
                "XYZ"
            ) from error
        count += 1
        yield atoms
    if count == 0:
        raise InputError(f"{path}: expected configurations, found none; check the file")


def _rows_of_database(path: str) -> Iterator["Atoms"]:
    """Rows of a database of ASE, with the labels that SchNetPack and others keep with them."""
    from ase.db import connect

    with connect(path, serial=True) as database:
        for row in database.select():
            atoms = row.toatoms()
            for name, value in {**row.key_value_pairs, **row.data}.items():
                array = np.asarray(value)
                if array.shape == (len(atoms), 3):
                    atoms.arrays[name] = array
                else:
                    atoms.info[name] = array.item() if array.size == 1 else value
            yield atoms


def results(atoms: "Atoms") -> dict[str, object]:
    """What the file holds as results of a calculator, by ASE's names."""
    return {} if atoms.calc is None else atoms.calc.results


def _labels(where: str, atoms: "Atoms", source: AseFile) -> dict[str, np.ndarray]:
    """A configuration's labels (1, …), eV and Å."""
    energy_unit, length_unit = ENERGY[source.energy_unit], LENGTH[source.length_unit]
    labels = {"energy": np.array([_energy(where, atoms, source.energy_key)]) * energy_unit}
    if source.forces_key:
        forces = _forces(where, atoms, source.forces_key)
        labels["forces"] = forces[None] * source.force_sign * energy_unit / length_unit
    if source.stress_key or source.virial_key:
        stress = _stress(where, atoms, source.stress_key, source.virial_key)
        labels["stress"] = stress[None] * energy_unit / length_unit**3
    return labels


def _energy(where: str, atoms: "Atoms", key: str) -> float:
    given = {**results(atoms), **atoms.info}
    if key not in given:
        raise _missing(where, "energy_key", key, given)
    return _number(where, key, given[key])


def _forces(where: str, atoms: "Atoms", key: str) -> np.ndarray:
    """(atoms, 3), in the file's unit and sign."""
    given = {**results(atoms), **atoms.arrays}
    if key in given:
        return np.asarray(given[key], float)
    if len(atoms) == 1:
        return np.zeros((1, 3))
    raise _missing(where, "forces_key", key, given)


def _stress(
    where: str, atoms: "Atoms", stress_key: str | None, virial_key: str | None
) -> np.ndarray:
    """(3, 3), in the file's unit, positive under tension; by the one key that is given."""
    from ase.stress import voigt_6_to_full_3x3_stress

    key = stress_key or virial_key or ""
    given = {**results(atoms), **atoms.info}
    if not atoms.pbc.all() or (len(atoms) == 1 and key not in given):
        return np.full((3, 3), np.nan)
    if key not in given:
        setting = "stress_key" if stress_key else "virial_key"
        raise _missing(where, setting, key, given)
    value = np.asarray(given[key])
    if value.dtype.kind not in "fi" or value.shape not in [(6,), (9,), (3, 3)]:
        raise InputError(
            f"{where}: expected 6 numbers or 3 × 3 as {key!r}, got {value.tolist()!r}; fix it"
        )
    tensor = voigt_6_to_full_3x3_stress(value) if value.size == 6 else value.reshape(3, 3)
    return tensor if stress_key else -tensor / atoms.cell.volume


def _number(where: str, key: str, value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise InputError(f"{where}: expected a number as {key!r}, got {value!r}; fix it") from None


def _missing(where: str, setting: str, key: str, given: Iterable[str]) -> InputError:
    return InputError(
        f"{where}: expected {key!r}, found {', '.join(given) or 'nothing'}; set {setting} to its "
        "name"
        + ("" if setting == "energy_key" else " or to none")
        + ", or leave out configurations that lack it"
    )


def _group(where: str, place: str, atoms: "Atoms", key: str | None) -> str:
    if key is None:
        return place
    if key not in atoms.info:
        raise _missing(where, "group_key", key, atoms.info)
    return str(atoms.info[key])
