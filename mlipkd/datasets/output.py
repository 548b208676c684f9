"""Writing HDF5 on a disk that may be full.

When a write fails, the HDF5 library keeps what it could not write, tries again at exit and crashes
the process. So the library is given a file that never fails: it remembers the first error and lets
go of all that comes after, and the error is raised when the library is done.
"""

import contextlib
import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import h5py

from mlipkd.artefacts import writing


@contextlib.contextmanager
def writing_hdf5(path: Path, copy_of: Path | None = None) -> Iterator[h5py.File]:
    """Give an HDF5 file to write to, empty or a copy; on leaving the block, make it an artefact.

    Raises:
        InputError: the disk is full or not writable.
    """
    with writing(path) as temporary:
        if copy_of is not None:
            shutil.copyfile(copy_of, temporary)
        with _Patient(temporary, "w+" if copy_of is None else "r+") as patient:
            try:
                with h5py.File(patient, "w" if copy_of is None else "r+") as file:
                    yield file
            finally:
                if patient.error is not None:
                    raise patient.error


class _Patient(io.FileIO):
    """A file whose writing never fails; ``error`` is the first that would have been raised."""

    error: OSError | None = None

    def write(self, content) -> int:
        if self.error is None:
            try:
                return super().write(content)
            except OSError as error:
                self.error = error
        return len(content)

    def truncate(self, size: int | None = None) -> int:
        if self.error is None:
            try:
                return super().truncate(size)
            except OSError as error:
                self.error = error
        return size or 0
