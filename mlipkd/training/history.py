"""The history of a training: one JSON line an epoch.

While training runs the lines grow in ``<history>.partial``; in the end they become the artefact. On
resuming, lines later than the checkpoint are dropped, because those epochs are gone through again.
Like the last checkpoint, the partial file stays.
"""

import json
from pathlib import Path

from mlipkd import artefacts


class History:
    """The lines of one training."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.partial = path.with_name(path.name + ".partial")

    def start(self, epoch: int) -> None:
        """Begin after ``epoch``, with the lines up to it kept."""
        self.partial.parent.mkdir(parents=True, exist_ok=True)
        lines = self.partial.read_text().splitlines() if self.partial.exists() else []
        self.partial.write_text("".join(line + "\n" for line in lines[:epoch]))

    def add(self, **values: object) -> None:
        """Add the line of one epoch."""
        with open(self.partial, "a") as file:
            file.write(json.dumps(values) + "\n")

    def finish(self) -> None:
        """Make the lines the artefact."""
        artefacts.write_text(self.path, self.partial.read_text())


def read_history(path: Path) -> tuple[list[dict], str]:
    """The lines of a training that has ended, and the file's SHA-256.

    Raises:
        InputError: the file is missing or damaged.
    """
    digest = artefacts.verify(path)
    return [json.loads(line) for line in path.read_text().splitlines()], digest
