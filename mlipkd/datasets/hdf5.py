"""HDF5 made safe: files that could harm are refused, and a full disk does not crash the process.

An HDF5 file can point at other files of the disk, hold pickled or unbounded objects, and declare
far more than it contains. So every HDF5 file is walked once before anything in it is read.

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
import numpy as np

from mlipkd.errors import InputError
from mlipkd.jobs.artefacts import writing

#: Deflate packs 1,032 bytes into one at best; what claims more was never written.
MOST_COMPRESSED = 1032
#: Below this, a dataset's declared size is harmless whatever the file's size, bytes.
HARMLESS = 2**20


def refuse_hostile(file: h5py.File) -> None:
    """Refuse a file with links out of it, virtual data, objects, or more data than it holds.

    Raises:
        InputError: naming the file, the place in it and the remedy.
    """
    size = file.id.get_filesize()
    stored = 0
    for name, data in _datasets(file):
        _refuse_dataset(file.filename, name, data, size)
        stored += _stored(data)
    if stored > size:
        raise InputError(
            f"{file.filename}: expected at most the file's {_bytes(size)} of data, but it declares "
            f"{_bytes(stored)}; it is damaged or crafted, get it anew"
        )


def _datasets(file: h5py.File) -> Iterator[tuple[str, h5py.Dataset]]:
    """Every dataset of a file, visited once, by hard links only."""
    seen = set()
    waiting = [file["/"]]
    while waiting:
        group = waiting.pop()
        for name in group:
            place = f"{group.name.rstrip('/')}/{name}"
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                kind = "an external" if isinstance(link, h5py.ExternalLink) else "a soft"
                raise InputError(
                    f"{file.filename}: expected plain data at {place}, got {kind} link; "
                    "copy what it points at into the file"
                )
            item = group[name]
            address = h5py.h5o.get_info(item.id).addr
            if address in seen:
                continue
            seen.add(address)
            if isinstance(item, h5py.Group):
                waiting.append(item)
            elif isinstance(item, h5py.Dataset):
                yield place, item


def _refuse_dataset(filename: str, name: str, data: h5py.Dataset, file_size: int) -> None:
    where = f"{filename}: expected plain numbers at {name}"
    if data.external is not None:
        raise InputError(f"{where}, got data kept in another file; store them in this one")
    if data.is_virtual:
        raise InputError(f"{where}, got a virtual dataset; store the data in this file")
    if data.dtype.hasobject:
        raise InputError(
            f"{where}, got objects of variable length; store fixed-length text or numbers"
        )
    if data.shape is None:
        raise InputError(f"{where}, got an empty dataspace; remove it")
    declared = int(np.prod(data.shape, dtype=object)) * data.dtype.itemsize
    holds = _stored(data) if data.chunks is None else MOST_COMPRESSED * _stored(data)
    if declared > max(HARMLESS, min(holds, MOST_COMPRESSED * file_size)):
        raise InputError(
            f"{where}, but it declares {_bytes(declared)} and the file of "
            f"{_bytes(file_size)} holds {_bytes(_stored(data))} for it; it is damaged or crafted, "
            "get it anew"
        )


def _stored(data: h5py.Dataset) -> int:
    """Bytes of the file that a dataset says it occupies."""
    return data.id.get_storage_size()


def _bytes(count: int) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000  # type: ignore[assignment]
    return f"{count:.3g} TB"


@contextlib.contextmanager
def writing_hdf5(path: Path, copy_of: Path | None = None) -> Iterator[h5py.File]:
    """Give an HDF5 file to write to, empty or a copy; on leaving the block, make it an artefact.

    Raises:
        InputError: the disk is full or not writable.
    """
    with writing(path) as temporary:
        if copy_of is not None:
            shutil.copyfile(copy_of, temporary)
        with _NeverFailingFile(temporary, "w+" if copy_of is None else "r+") as raw:
            try:
                with h5py.File(raw, "w" if copy_of is None else "r+") as file:
                    yield file
            finally:
                if raw.error is not None:
                    raise raw.error


class _NeverFailingFile(io.FileIO):
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
