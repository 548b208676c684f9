"""Readers of the user's own: a function that yields ASE's atoms with their labels in eV and Å."""

from typing import TYPE_CHECKING, Literal

from mlipkd.config.functions import OwnFunction
from mlipkd.config.section import Files
from mlipkd.datasets.dataset import Dataset
from mlipkd.errors import InputError
from mlipkd.imports import errors_in_user_code, find_function
from mlipkd.readers.ase_file import AseFile, results
from mlipkd.readers.source import Source

if TYPE_CHECKING:
    from ase import Atoms

LABELS = ("energy", "forces", "stress")


class OwnReader(Source, OwnFunction):
    """Configurations from a reader of your own: `read(files, **options)` yields `ase.Atoms`, whose
    calculator's results are the labels in eV and Å and whose `info["group"]` is the group."""

    reader: Literal["own"]
    files: Files
    """Paths of the files that it reads."""

    def read(self, name: str) -> Dataset:
        """One block for each configuration that the function yields.

        All have the labels that any of them has, but that a single atom needs only its energy,
        and free systems have no stress.

        Raises:
            InputError: there is no such function, it fails, or yields something else.
        """
        function = find_function("source.function", self.function)
        first, *others = self.files
        files = f"{first} and {len(others)} more" if others else first
        with errors_in_user_code(self.function, f"configurations of {files}"):
            configurations = [_copy(atoms) for atoms in function(list(self.files), **self.options)]
        labels = set().union({"energy"}, *map(_labels, configurations))
        grouped = any("group" in atoms.info for atoms in configurations)
        for index, atoms in enumerate(configurations):
            _refuse_lacking(f"{self.function}: configuration {index}", atoms, labels, grouped)
        names = AseFile(
            reader="ase",
            files=self.files,
            forces_key="forces" if "forces" in labels else None,
            stress_key="stress" if "stress" in labels else None,
            group_key="group" if grouped else None,
        )
        blocks = (
            names.block(self.function, index, atoms) for index, atoms in enumerate(configurations)
        )
        return self._dataset(name, blocks, masked=names.masked)

    @property
    def user_function(self) -> str | None:
        return self.function


def _copy(atoms: object) -> "Atoms":
    """The configuration as it is now; a reader may go on to change and yield the same object."""
    from ase import Atoms
    from ase.calculators.singlepoint import SinglePointCalculator

    if not isinstance(atoms, Atoms):
        raise TypeError(f"it yields {type(atoms).__name__} in the place of ase.Atoms")
    copy = atoms.copy()
    for name in LABELS:  # what the file held, in its own units, is no label
        copy.info.pop(name, None)
        copy.arrays.pop(name, None)
    given = results(atoms)
    copy.calc = SinglePointCalculator(
        copy, **{label: given[label] for label in LABELS if label in given}
    )
    return copy


def _labels(atoms: "Atoms") -> set[str]:
    """The labels that a configuration has and that mean something there."""
    given = set(results(atoms))
    return given if atoms.pbc.all() else given - {"stress"}


def _refuse_lacking(where: str, atoms: "Atoms", labels: set[str], grouped: bool) -> None:
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
