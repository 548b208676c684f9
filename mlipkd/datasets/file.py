"""The canonical file: one HDF5 of flat arrays with offsets, in eV and Å.

Every array is chunked and carries Fletcher-32 checksums; the SHA-256 of the whole file stands in a
file next to it.
Configurations can be read singly, so a set larger than memory is trained on by reading its batches.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Self

import h5py
import numpy as np

from mlipkd.datasets.dataset import (
    HEAVIEST,
    LABELS,
    Bead,
    Dataset,
    columns_of,
    from_json,
    offsets_from,
    place,
    row_offsets,
    to_json,
)
from mlipkd.datasets.hdf5 import refuse_hostile, writing_hdf5
from mlipkd.errors import InputError
from mlipkd.jobs.artefacts import verify

FORMAT = "mlipkd dataset 1"
#: Rows of one chunk, which is always read as a whole.
CHUNK_ROWS = 4096
#: Rows read at one go at most, so that picking a few from many needs little memory.
ROWS_AT_ONCE = 2**20

#: Arrays other than labels with a row for each atom or configuration, and the shape of a row.
PER_ATOM: dict[str, tuple[int, ...]] = {"species": (), "positions": (3,)}
PER_CONFIGURATION: dict[str, tuple[int, ...]] = {
    "cells": (3, 3),
    "periodic": (3,),
    "groups": (),
    "clusters": (),
    "splits": (),
}
UNITS = {"positions": "Å", "cells": "Å"}
#: What species are where there are no beads, and the last of them.
_ELEMENTS = "atomic numbers", HEAVIEST


def write(dataset: Dataset, path: Path | str) -> None:
    """Write a dataset; the file appears whole or not at all.

    Raises:
        InputError: the disk is full or not writable.
    """
    with writing_hdf5(Path(path)) as file:
        file.attrs["format"] = FORMAT
        file.attrs["name"] = dataset.name
        provenance = json.dumps(dataset.provenance, sort_keys=True).encode()
        file["provenance"] = np.frombuffer(provenance, np.uint8)
        if dataset.beads:
            file["beads"] = np.frombuffer(to_json(dataset.beads).encode(), np.uint8)
        file["offsets"] = dataset.offsets
        for key in (*PER_ATOM, *PER_CONFIGURATION):
            _write_array(file, key, getattr(dataset, key), UNITS.get(key))
        for whose, given in dataset.labels.items():
            for label, values in given.items():
                _write_array(file, f"labels/{whose}/{label}", values, LABELS[label].unit)


def _write_array(file: h5py.File, key: str, values: np.ndarray, unit: str | None) -> None:
    chunk = (min(CHUNK_ROWS, len(values)), *values.shape[1:])
    data = file.create_dataset(key, data=values, chunks=chunk, fletcher32=True)
    if unit:
        data.attrs["unit"] = unit


class DatasetFile:
    """A canonical file, open for reading. Close it, or use it as a context manager.

    Raises:
        InputError: the file is missing, damaged, or no canonical dataset.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.sha256 = verify(self.path)
        self._file = open_hdf5(self.path)
        try:
            self._read_index()
            self._check_shapes()
        except (InputError, KeyError) as error:
            self.close()
            raise error if isinstance(error, InputError) else damaged(path, error) from error

    def _read_index(self) -> None:
        file = self._file
        if file.attrs.get("format") != FORMAT:
            raise InputError(
                f"{self.path}: expected format {FORMAT!r}, got {file.attrs.get('format')!r}; "
                "convert it with mlipkd dataset"
            )
        self.name = str(file.attrs["name"])
        self.provenance: dict = json.loads(file["provenance"][()].tobytes())
        self.offsets: np.ndarray = file["offsets"][()]  # (configurations + 1,)
        self.groups: np.ndarray = file["groups"][()]  # (configurations,)
        self.clusters: np.ndarray = file["clusters"][()]  # (configurations,)
        self.splits: np.ndarray = file["splits"][()]  # (configurations,)
        self.periodic: np.ndarray = file["periodic"][()]  # (configurations, 3)
        self.labels: dict[str, list[str]] = {
            whose: list(given) for whose, given in file["labels"].items()
        }
        self._rows: dict[str, np.ndarray] = {
            label: row_offsets(label, self.offsets)  # (configurations + 1,)
            for given in self.labels.values()
            for label in given
        }
        self.species_present: tuple[int, ...] = _present(file["species"])
        self.beads: tuple[Bead, ...] = ()
        if "beads" in file:
            self.beads = from_json(file["beads"][()].tobytes())
        kind, last = ("species of beads", len(self.beads)) if self.beads else _ELEMENTS
        if not 1 <= min(self.species_present) <= max(self.species_present) <= last:
            raise InputError(
                f"{self.path}: expected {kind} from 1 to {last}, got {self.species_present}; "
                "make the file again"
            )

    def _check_shapes(self) -> None:
        atoms, configurations = int(self.offsets[-1]), len(self)
        shapes: dict[str, tuple] = {key: (atoms, *row) for key, row in PER_ATOM.items()}
        shapes |= {key: (configurations, *row) for key, row in PER_CONFIGURATION.items()}
        for whose, given in self.labels.items():
            for label in given:
                rows = int(self._rows[label][-1])
                shapes[f"labels/{whose}/{label}"] = (rows, *columns_of(label))
        for key, shape in shapes.items():
            if self._file[key].shape != shape:
                raise InputError(
                    f"{self.path}: expected {key} of shape {shape} for {configurations} "
                    f"configurations of {atoms} atoms in all, got {self._file[key].shape}; "
                    "make the file again"
                )

    def __len__(self) -> int:
        """Number of configurations."""
        return len(self.offsets) - 1

    @property
    def sizes(self) -> np.ndarray:
        """Number of atoms of each configuration."""
        return np.diff(self.offsets)  # (configurations,)

    def place(self, index: int) -> str:
        """Where configuration ``index`` comes from, in words that lead the user to its source."""
        return place(self.provenance.get("origins", [(0, str(self.path))]), index)

    @property
    def base_sha256(self) -> str:
        """Its SHA-256 or, if a teacher's labels were added to it, that of the file without them."""
        return self.provenance.get("teacher", {}).get("augmented_dataset_sha256", self.sha256)

    def read(
        self, indices: Iterable[int] | None = None, labels: Collection[str] = tuple(LABELS)
    ) -> Dataset:
        """All configurations, or the given ones in the given order, with some of their labels."""
        if indices is None:
            return self._range(0, len(self), labels)
        chosen = np.asarray(indices, dtype=np.int64)  # (chosen,)
        ascending, position = np.unique(chosen, return_inverse=True)
        parts = [
            self._range(run[0], run[-1] + 1, labels).select(run - run[0])
            for run in self._runs(ascending)
        ]
        return concatenate(parts or [self._range(0, 0, labels)]).select(position)

    def _runs(self, ascending: np.ndarray) -> Iterator[np.ndarray]:
        """Configurations near enough to each other to be read at one go."""
        begins, ends = self.offsets[ascending], self.offsets[ascending + 1]  # (chosen,)
        start = 0
        for stop in range(1, len(ascending) + 1):
            if (
                stop == len(ascending)
                or begins[stop] - ends[stop - 1] > CHUNK_ROWS
                or ends[stop] - begins[start] > ROWS_AT_ONCE
            ):
                yield ascending[start:stop]
                start = stop

    def _range(self, first: int, last: int, labels: Collection[str]) -> Dataset:
        """The configurations ``first`` to ``last - 1``."""
        file = self._file
        atoms = slice(self.offsets[first], self.offsets[last])
        try:
            return Dataset(
                name=self.name,
                offsets=self.offsets[first : last + 1] - self.offsets[first],
                labels={
                    whose: {
                        label: file[f"labels/{whose}/{label}"][
                            self._rows[label][first] : self._rows[label][last]
                        ]
                        for label in given
                        if label in labels
                    }
                    for whose, given in self.labels.items()
                },
                provenance=self.provenance,
                beads=self.beads,
                **{key: file[key][atoms] for key in PER_ATOM},
                **{key: file[key][first:last] for key in PER_CONFIGURATION},
            )
        except OSError as error:
            raise damaged(self.path, error) from error

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read(path: Path | str) -> Dataset:
    """A whole canonical file, checked against its hash.

    Raises:
        InputError: the file is missing, damaged, or no canonical dataset.
    """
    with DatasetFile(path) as file:
        return file.read()


def open_hdf5(path: Path | str) -> h5py.File:
    """Open an HDF5 file, whoever wrote it, after making sure that it is harmless.

    Raises:
        InputError: the file is missing, no HDF5, cut short, or hostile.
    """
    if not Path(path).is_file():
        raise InputError(f"{path}: expected an HDF5 file, found none; check the path")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise damaged(path, error) from error
    try:
        refuse_hostile(file)
    except (InputError, OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
        file.close()
        raise error if isinstance(error, InputError) else damaged(path, error) from error
    return file


def damaged(path: Path | str, error: Exception) -> InputError:
    """What to tell about a file that HDF5 cannot read."""
    reason = " ".join(str(error).split())
    return InputError(
        f"{path}: expected a whole HDF5 file, got one cut short or damaged ({reason}); get it anew"
    )


def _present(species: h5py.Dataset) -> tuple[int, ...]:
    present: set[int] = set()
    for start in range(0, len(species), ROWS_AT_ONCE):
        present.update(np.unique(species[start : start + ROWS_AT_ONCE]).tolist())
    return tuple(sorted(present))


def concatenate(parts: Sequence[Dataset]) -> Dataset:
    """Parts with the same labels and beads as one dataset, of the first one's name and record."""
    if len(parts) == 1:
        return parts[0]
    first = parts[0]
    return Dataset(
        name=first.name,
        offsets=offsets_from(np.concatenate([part.sizes for part in parts])),
        labels={
            whose: {
                label: np.concatenate([part.labels[whose][label] for part in parts])
                for label in given
            }
            for whose, given in first.labels.items()
        },
        provenance=first.provenance,
        beads=first.beads,
        **{
            key: np.concatenate([getattr(part, key) for part in parts])
            for key in (*PER_ATOM, *PER_CONFIGURATION)
        },
    )


def kinds_of(dataset: Dataset | DatasetFile) -> np.ndarray:
    """What each configuration of a whole dataset is, as ``ts`` or ``near``: (configurations,).

    "" where the source does not tell kinds apart.
    """
    runs = dataset.provenance.get("kinds") or [(0, "")]
    starts = [first for first, _ in runs]
    return np.repeat([kind for _, kind in runs], np.diff([*starts, len(dataset)]))


def of_kinds(dataset: Dataset | DatasetFile, kinds: Collection[str]) -> np.ndarray:
    """Whether each configuration of a whole dataset is of one of some kinds: (configurations,).

    Raises:
        InputError: the dataset has none of a kind.
    """
    told = kinds_of(dataset)
    known = sorted(set(told.tolist()) - {""})
    if unknown := sorted(set(kinds) - set(known)):
        raise InputError(
            f"{dataset.name}: expected configurations of the kind {unknown[0]!r} to hold out, but "
            f"its kinds are {', '.join(known) or 'not told apart'}; change split.held_out"
        )
    return np.isin(told, list(kinds))
