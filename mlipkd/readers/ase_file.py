"""Anything ASE reads: extended XYZ, ASE databases, output of electronic-structure codes.

Units and the force sign are the configuration's, since such files seldom state them.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.db import connect
from ase.io import iread
from ase.stress import voigt_6_to_full_3x3_stress

from mlipkd.config.sources import AseFile
from mlipkd.datasets.blocks import Block
from mlipkd.errors import InputError
from mlipkd.units import ENERGY, LENGTH


def read(source: AseFile) -> Iterator[Block]:
    """Blocks of one configuration each; without labels, if the source has a calculator for them.

    An atom alone feels no force, whether the file says so or not. A stress is NaN where there is
    no volume, or where an atom alone has none.

    Raises:
        InputError: a file that ASE does not read, or a label that is missing or has another shape.
    """
    for path in source.files:
        for index, atoms in enumerate(frames(path)):
            yield block(path, index, atoms, source)


def block(place: str, index: int, atoms: Atoms, source: AseFile) -> Block:
    """One configuration with its labels, which stand where ``source`` says.

    It has none if the source has a calculator for them.

    Args:
        place: where it comes from.
        index: its number there.
        atoms: with labels.
        source: their names, units and sign; its files are not read.

    Raises:
        InputError: a label that is missing or has another shape.
    """
    length_unit = LENGTH[source.length_unit]
    where = f"{place}: configuration {index}"
    return Block(
        place=place,
        species=atoms.numbers,
        positions=atoms.positions[None] * length_unit,
        cells=atoms.cell.array[None] * length_unit,
        periodic=atoms.pbc[None],
        labels={} if source.calculator else _labels(where, atoms, source),
        groups=np.array([_group(where, place, atoms, source.group_key)]),
    )


def masked(source: AseFile) -> tuple[str, ...]:
    """The quantities that may be missing here and there."""
    return ("stress",) if source.stress_key or source.virial_key else ()


def frames(path: str) -> Iterator[Atoms]:
    """A file's configurations; whatever ASE's parsers raise names the file."""
    if not Path(path).is_file():
        raise InputError(f"{path}: expected a file, found none; check the path")
    found = (
        _of_database(path)
        if Path(path).suffix == ".db"
        else iread(path, index=":", do_not_split_by_at_sign=True)
    )
    count = 0
    while True:
        try:
            atoms = next(found)
        except StopIteration:
            break
        except Exception as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise InputError(
                f"{path}: expected a file that ASE reads, got an error from it after {count} "
                f"configurations ({reason}); fix the file, or convert it to extended XYZ"
            ) from error
        count += 1
        yield atoms
    if count == 0:
        raise InputError(f"{path}: expected configurations, found none; check the file")


def _of_database(path: str) -> Iterator[Atoms]:
    """Rows of a database of ASE, with the labels that SchNetPack and others keep beside atoms."""
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


def results(atoms: Atoms) -> dict[str, object]:
    """What the file holds as results of a calculator, by ASE's names."""
    return {} if atoms.calc is None else atoms.calc.results


def _labels(where: str, atoms: Atoms, source: AseFile) -> dict[str, np.ndarray]:
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


def _energy(where: str, atoms: Atoms, key: str) -> float:
    found = {**results(atoms), **atoms.info}
    if key not in found:
        raise _missing(where, "energy_key", key, found)
    return _number(where, key, found[key])


def _forces(where: str, atoms: Atoms, key: str) -> np.ndarray:
    """(atoms, 3), in the file's unit and sign."""
    found = {**results(atoms), **atoms.arrays}
    if key in found:
        return np.asarray(found[key], float)
    if len(atoms) == 1:
        return np.zeros((1, 3))
    raise _missing(where, "forces_key", key, found)


def _stress(where: str, atoms: Atoms, stress_key: str | None, virial_key: str | None) -> np.ndarray:
    """(3, 3), in the file's unit, positive under tension; by the one key that is given."""
    key = stress_key or virial_key or ""
    found = {**results(atoms), **atoms.info}
    if not atoms.pbc.all() or (len(atoms) == 1 and key not in found):
        return np.full((3, 3), np.nan)
    if key not in found:
        setting = "stress_key" if stress_key else "virial_key"
        raise _missing(where, setting, key, found)
    value = np.asarray(found[key])
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


def _missing(where: str, setting: str, key: str, found: Iterable[str]) -> InputError:
    return InputError(
        f"{where}: expected {key!r}, found {', '.join(found) or 'nothing'}; set {setting} to its "
        "name"
        + ("" if setting == "energy_key" else " or to none")
        + ", or leave out configurations that lack it"
    )


def _group(where: str, place: str, atoms: Atoms, key: str | None) -> str:
    if key is None:
        return place
    if key not in atoms.info:
        raise _missing(where, "group_key", key, atoms.info)
    return str(atoms.info[key])
