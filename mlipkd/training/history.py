"""The history of a training: one JSON line an epoch.

The lines are part of the checkpoint, so that they belong to the training that resumes from it.
While it runs they are in ``<history>.partial`` as well, to be looked at: that file is written anew
when training starts, and never read here. Like the last checkpoint, it stays.
"""

import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from mlipkd.jobs import artefacts


class History:
    """The files that hold the lines of one training."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.partial = path.with_name(path.name + ".partial")

    def start(self, lines: Sequence[str]) -> None:
        """Show the lines so far."""
        # Renamed when complete: readers see either the old lines or the new ones.
        complete = self.partial.with_name(self.partial.name + ".tmp")
        with _on_disk(self.path):
            self.partial.parent.mkdir(parents=True, exist_ok=True)
            complete.write_text(_text(lines))
            os.replace(complete, self.partial)

    def add(self, line: str) -> None:
        """Show the line of one more epoch."""
        with _on_disk(self.path), open(self.partial, "a") as file:
            file.write(_text([line]))

    def finish(self, lines: Sequence[str]) -> None:
        """Write the artefact."""
        artefacts.write_text(self.path, _text(lines))


def _text(lines: Sequence[str]) -> str:
    return "".join(line + "\n" for line in lines)


@contextlib.contextmanager
def _on_disk(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise artefacts.unwritable(path, error) from error


def read_history(path: Path) -> tuple[list[dict], str]:
    """The lines of a finished training, and the file's SHA-256.

    Raises:
        InputError: the file is missing or damaged.
    """
    digest = artefacts.verify(path)
    return [json.loads(line) for line in path.read_text().splitlines()], digest
