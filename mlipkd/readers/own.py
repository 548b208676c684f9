"""Readers of one's own: a function that yields ASE's atoms with their labels in eV and Å."""

from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from mlipkd.config.functions import OwnReader
from mlipkd.config.sources import AseFile
from mlipkd.datasets.blocks import Block
from mlipkd.errors import InputError
from mlipkd.imports import blamed, find_function
from mlipkd.readers import ase_file
from mlipkd.readers.ase_file import results

LABELS = ("energy", "forces", "stress")


def read(source: OwnReader) -> tuple[list[Block], tuple[str, ...]]:
    """Blocks of one configuration each, and the quantities that may be missing here and there.

    All configurations have the labels that any of them has, but that an atom alone needs none
    beside its energy, and free systems have no stress.

    Raises:
        InputError: there is no such function, it fails, or yields something else.
    """
    function = find_function("source.function", source.function)
    first, *others = source.files
    files = f"{first} and {len(others)} more" if others else first
    with blamed(source.function, f"configurations of {files}"):
        frames = [_kept(atoms) for atoms in function(list(source.files), **source.options)]
    labels = set().union({"energy"}, *map(_labels, frames))
    grouped = any("group" in atoms.info for atoms in frames)
    for index, atoms in enumerate(frames):
        _refuse_lacking(f"{source.function}: configuration {index}", atoms, labels, grouped)
    names = AseFile(
        reader="ase",
        files=source.files,
        forces_key="forces" if "forces" in labels else None,
        stress_key="stress" if "stress" in labels else None,
        group_key="group" if grouped else None,
    )
    blocks = [
        ase_file.block(source.function, index, atoms, names) for index, atoms in enumerate(frames)
    ]
    return blocks, ase_file.masked(names)


def _kept(atoms: object) -> Atoms:
    """The configuration as it is now; a reader may go on to change and yield the same object."""
    if not isinstance(atoms, Atoms):
        raise TypeError(f"it yields {type(atoms).__name__} in the place of ase.Atoms")
    copy = atoms.copy()
    for name in LABELS:  # what the file had, in units of its own, is no label
        copy.info.pop(name, None)
        copy.arrays.pop(name, None)
    given = results(atoms)
    copy.calc = SinglePointCalculator(
        copy, **{label: given[label] for label in LABELS if label in given}
    )
    return copy


def _labels(atoms: Atoms) -> set[str]:
    """The labels that a configuration has and that mean something there."""
    given = set(results(atoms))
    return given if atoms.pbc.all() else given - {"stress"}


def _refuse_lacking(where: str, atoms: Atoms, labels: set[str], grouped: bool) -> None:
    needed = {"energy"} if len(atoms) == 1 else labels
    if not atoms.pbc.all():
        needed = needed - {"stress"}
    if lacking := sorted(needed - set(results(atoms))):
        raise InputError(
            f"{where}: expected {', '.join(lacking)} in its calculator's results, got "
            f"{', '.join(results(atoms)) or 'none'}; give all configurations the same labels"
        )
    if grouped and "group" not in atoms.info:
        raise InputError(
            f'{where}: expected info["group"], as others have, got none; give it to all or to none'
        )
