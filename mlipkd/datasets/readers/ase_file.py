"""Anything ASE reads: extended XYZ, ASE databases, output of electronic-structure codes.

Units and the force sign are the configuration's, since such files seldom state them.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.calculator import PropertyNotImplementedError
from ase.io import iread

from mlipkd.config.dataset import AseFile
from mlipkd.datasets.blocks import Block
from mlipkd.errors import InputError
from mlipkd.units import ENERGY, LENGTH


def read(source: AseFile) -> Iterator[Block]:
    """Blocks of one configuration each."""
    energy_unit, length_unit = ENERGY[source.energy_unit], LENGTH[source.length_unit]
    for path in source.files:
        for index, atoms in enumerate(_frames(path)):
            where = f"{path}: configuration {index}"
            labels = {"energy": np.array([_energy(where, atoms, source.energy_key)]) * energy_unit}
            if source.forces_key:
                forces = _forces(where, atoms, source.forces_key)
                labels["forces"] = forces[None] * source.force_sign * energy_unit / length_unit
            yield Block(
                place=path,
                species=atoms.numbers,
                positions=atoms.positions[None] * length_unit,
                cells=atoms.cell.array[None] * length_unit,
                periodic=atoms.pbc[None],
                labels=labels,
                groups=np.array([_group(where, path, atoms, source.group_key)]),
            )


def _frames(path: str) -> Iterator[Atoms]:
    """A file's configurations; whatever ASE's parsers raise names the file."""
    if not Path(path).is_file():
        raise InputError(f"{path}: wanted a file, found none; check the path")
    frames = iread(path, index=":")
    count = 0
    while True:
        try:
            atoms = next(frames)
        except StopIteration:
            break
        except Exception as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise InputError(
                f"{path}: wanted a file that ASE reads, got an error from it after {count} "
                f"configurations ({reason}); mend the file, or convert it to extended XYZ"
            ) from error
        count += 1
        yield atoms
    if count == 0:
        raise InputError(f"{path}: wanted configurations, found none; check the file")


def _energy(where: str, atoms: Atoms, key: str) -> float:
    if key in atoms.info:
        return _number(where, key, atoms.info[key])
    if key == "energy" and atoms.calc is not None:
        try:
            return atoms.get_potential_energy()
        except PropertyNotImplementedError:
            pass
    raise _missing(where, "energy_key", key, list(atoms.info) + _results(atoms))


def _forces(where: str, atoms: Atoms, key: str) -> np.ndarray:
    """(atoms, 3), in the file's unit and sign."""
    if key in atoms.arrays:
        return np.asarray(atoms.arrays[key], float)
    if key == "forces" and atoms.calc is not None:
        try:
            return atoms.get_forces(apply_constraint=False)
        except PropertyNotImplementedError:
            pass
    raise _missing(where, "forces_key", key, list(atoms.arrays) + _results(atoms))


def _number(where: str, key: str, value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise InputError(f"{where}: wanted a number as {key!r}, got {value!r}; mend it") from None


def _results(atoms: Atoms) -> list[str]:
    return [] if atoms.calc is None else list(atoms.calc.results)


def _missing(where: str, setting: str, key: str, found: list[str]) -> InputError:
    return InputError(
        f"{where}: wanted {key!r}, found {', '.join(found) or 'nothing'}; set {setting} to its name"
    )


def _group(where: str, path: str, atoms: Atoms, key: str | None) -> str:
    if key is None:
        return path
    if key not in atoms.info:
        raise _missing(where, "group_key", key, list(atoms.info))
    return str(atoms.info[key])
