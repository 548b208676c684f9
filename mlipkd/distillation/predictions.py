"""Predictions: one member's labels of a whole dataset, in one file.

The file holds a flat array for each quantity, with the rows of a dataset's labels, and in its
attribute ``record``, as JSON, which member's predictions they are and of which dataset. Where a
calculator failed, the arrays hold NaN, and ``failures``, as JSON, says where and why.
"""

import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Self

import h5py
import numpy as np

from mlipkd.datasets.dataset import LABELS, columns_of, memory_batches, row_offsets
from mlipkd.datasets.file import DatasetFile, damaged, open_hdf5
from mlipkd.errors import InputError
from mlipkd.jobs import artefacts
from mlipkd.jobs.progress import progress

FORMAT = "mlipkd predictions 1"
#: Rows of one chunk, each of which has a checksum.
CHUNK_ROWS = 4096


def shape(quantity: str, offsets: np.ndarray) -> tuple[int, ...]:
    """Shape of a quantity's flat array: (rows, …)."""
    return (int(row_offsets(quantity, offsets)[-1]), *columns_of(quantity))


def rows_of(quantity: str, batch: slice, offsets: np.ndarray) -> slice:
    """Rows of a quantity's flat array that belong to the configurations of a memory batch."""
    rows = row_offsets(quantity, offsets)  # (configurations + 1,)
    return slice(rows[batch.start], rows[batch.stop])


def create(group: h5py.Group, quantity: str, offsets: np.ndarray) -> h5py.Dataset:
    """A quantity's flat array, to be filled batch by batch."""
    rows, *columns = shape(quantity, offsets)
    chunk = (min(rows, CHUNK_ROWS), *columns)
    array = group.create_dataset(quantity, (rows, *columns), "f8", chunks=chunk, fletcher32=True)
    array.attrs["unit"] = LABELS[quantity].unit
    return array


def memory_batches_of(
    dataset: DatasetFile, description: str, quantities: Collection[str] = ()
) -> Iterator[slice]:
    """The memory batches of a dataset, showing progress; small ones for Hessians."""
    cuts = memory_batches(dataset.sizes**2 if "hessian" in quantities else dataset.sizes)
    return progress(cuts, len(cuts), description)


def write_failures(file: h5py.File, failed: dict[int, str]) -> None:
    """Write why some configurations, by their numbers, have no labels."""
    file["failures"] = np.frombuffer(json.dumps(failed).encode(), np.uint8)


class PredictionsFile:
    """A file of predictions, open for reading. Close it, or use it as a context manager."""

    def __init__(self, path: Path) -> None:
        """Open a file.

        Raises:
            InputError: missing, damaged, hostile, or not a file of predictions.
        """
        self.path = Path(path)
        self.sha256 = artefacts.verify(self.path)
        self._file = open_hdf5(self.path)
        try:
            self._read_record()
        except InputError:
            self.close()
            raise

    def _read_record(self) -> None:
        try:
            if self._file.attrs["format"] != FORMAT:
                raise ValueError(f"format {self._file.attrs['format']!r}")
            record = json.loads(self._file.attrs["record"])
            self.model_file, self.model_sha256, self.dataset, self.dataset_sha256 = (
                record[key] for key in ("model_file", "model_sha256", "dataset", "dataset_sha256")
            )
            member = record["member"]
            self.family, self.model, self.seed = (
                member[key] for key in ("family", "model", "seed")
            )
            # Members that learn from a teacher each train on one dataset with other labels added.
            # Calculators were trained on none, and older models do not record it.
            self.trained_on = member.get("base_dataset_sha256", member["dataset_sha256"])
            self.quantities = [q for q in LABELS if q in record["quantities"]]
            self.shapes = {quantity: self._file[quantity].shape for quantity in self.quantities}
            self.failed: dict[int, str] = {}
            """Why configurations, by their numbers, have NaN as labels."""
            if "failures" in self._file:
                failures = json.loads(self._file["failures"][()].tobytes())
                self.failed = {int(number): str(reason) for number, reason in failures.items()}
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise InputError(
                f"{self.path}: expected a member's predictions in the format {FORMAT!r}, got "
                f"something else ({error}); make them with mlipkd predict"
            ) from error

    def read(self, quantity: str, rows: slice) -> np.ndarray:
        """Some rows of a quantity's flat array: float64, eV and Å."""
        try:
            return self._file[quantity][rows]
        except OSError as error:
            raise damaged(self.path, error) from error

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
