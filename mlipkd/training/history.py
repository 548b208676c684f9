"""The history of a training: one JSON line an epoch.

While training runs the lines grow in ``<history>.partial``; in the end they become the artefact. On
resuming, lines later than the checkpoint are dropped, because those epochs are gone through again.
Like the last checkpoint, the partial file stays.
"""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from mlipkd import artefacts
from mlipkd.errors import InputError


class History:
    """The lines of one training."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.partial = path.with_name(path.name + ".partial")

    def start(self, epoch: int) -> None:
        """Begin after ``epoch``, with the lines up to it kept."""
        lines = self.partial.read_text().splitlines() if self.partial.exists() else []
        # Renamed when whole: who is killed here has the lines of earlier epochs the next time.
        cut_back = self.partial.with_name(self.partial.name + ".tmp")
        with _on_disk(self.path):
            self.partial.parent.mkdir(parents=True, exist_ok=True)
            cut_back.write_text("".join(line + "\n" for line in lines[:epoch]))
            os.replace(cut_back, self.partial)

    def add(self, **values: object) -> None:
        """Add the line of one epoch."""
        with _on_disk(self.path), open(self.partial, "a") as file:
            file.write(json.dumps(values) + "\n")

    def finish(self) -> None:
        """Make the lines the artefact."""
        artefacts.write_text(self.path, self.partial.read_text())


@contextlib.contextmanager
def _on_disk(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{path}: could not be written ({error.strerror or error}); "
            f"free space on the disk that holds {path.parent}, or choose another folder"
        ) from error


def read_history(path: Path) -> tuple[list[dict], str]:
    """The lines of a training that has ended, and the file's SHA-256.

    Raises:
        InputError: the file is missing or damaged.
    """
    digest = artefacts.verify(path)
    return [json.loads(line) for line in path.read_text().splitlines()], digest
