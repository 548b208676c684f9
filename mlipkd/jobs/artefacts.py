"""Artefacts: every file that mlipkd writes is complete, or is not there.

An artefact is written under a temporary name in its own folder, flushed to the disk and renamed.
Next to it is ``<name>.sha256``, in the format of ``sha256sum``; reading an artefact checks it, so a
flipped bit or a file cut short by a full disk is an error that names the file, never a number.
"""

import contextlib
import errno
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from mlipkd.errors import InputError

#: Errors of a full disk, whatever file they name: copying names the source.
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def sha256(path: Path) -> str:
    """The SHA-256 of a file's content, as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sidecar(path: Path) -> Path:
    """The file that holds the hash of an artefact."""
    return path.with_name(path.name + ".sha256")


@contextlib.contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to; on leaving the block, make it the artefact ``path``.

    If the block raises, the temporary file is removed and an older artefact stays as it was. A
    crash between the two renames at the end leaves a hash that does not match: ``verify`` says so.

    Raises:
        InputError: the disk is full or not writable; the message names the disk's folder.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary_sidecar = temporary.with_name(temporary.name + ".sha256")
    try:
        yield temporary
        digest = sha256(temporary)
        temporary_sidecar.write_text(f"{digest}  {path.name}\n")
        # Libraries may have made the file only for the owner; its hash has the usual permissions.
        # To ask for the umask is to set it, for all threads.
        temporary.chmod(temporary_sidecar.stat().st_mode & 0o777)
        for file in (temporary, temporary_sidecar):
            _flush_to_disk(file)
        os.replace(temporary_sidecar, sidecar(path))
        os.replace(temporary, path)
        _flush_to_disk(path.parent)
    except OSError as error:
        if error.errno not in DISK_FULL and error.filename is not None:
            written_here = (temporary, temporary_sidecar, path.parent)
            if Path(os.fsdecode(error.filename)) not in written_here:
                raise  # it is about another file, which the block has opened
        raise unwritable(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)
        temporary_sidecar.unlink(missing_ok=True)


def unwritable(path: Path, error: OSError) -> InputError:
    """What to say of a file that the disk does not take."""
    return InputError(
        f"{path}: could not be written ({error.strerror or error}); "
        f"free space on the disk that holds {path.parent}, or choose another folder"
    )


def write_text(path: Path, text: str) -> None:
    """Write a text artefact."""
    with writing(path) as temporary:
        temporary.write_text(text)


def verify(path: Path) -> str:
    """Check an artefact against the hash next to it and return that hash.

    Raises:
        InputError: the file or its hash is missing, or they differ.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: expected a file, found none; run the step that makes it")
    hash_file = sidecar(path)
    if not hash_file.is_file():
        raise InputError(
            f"{path}: expected its hash in {hash_file.name}, found none; make the file again"
        )
    recorded = hash_file.read_text(errors="replace").split()[:1]  # it may be damaged, too
    actual = sha256(path)
    if recorded != [actual]:
        raise InputError(
            f"{path}: expected SHA-256 {''.join(recorded)[:12] or 'none'}…, got {actual[:12]}…: "
            "the file was changed or damaged after it was written; delete it and make it again"
        )
    return actual


def _flush_to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
