"""Frames: the configurations of one periodic system, as they follow each other."""

from collections.abc import Iterable, Iterator

import numpy as np

from mlipkd.datasets.dataset import Dataset
from mlipkd.datasets.file import DatasetFile
from mlipkd.errors import InputError


def frames_of(trajectory: DatasetFile, indices: Iterable[int], reach: float) -> Iterator[Dataset]:
    """Frames one by one, each a dataset of one configuration.

    Args:
        trajectory: frames of one system in one state; a barostat may change the box.
        indices: which.
        reach: the largest distance that is asked of them, Å.

    Raises:
        InputError: a frame is not periodic in all directions, is made of other species than the
            first, or its box is so small that atoms meet their own images.
    """
    first = None
    for index in indices:
        frame = trajectory.read([index])
        place = f"{trajectory.path}: frame {index}"
        if not frame.periodic.all():
            raise InputError(
                f"{place}: wanted a liquid, periodic in all directions, got "
                f"{frame.periodic[0].tolist()}; leave this dataset out"
            )
        first = first or frame
        if not np.array_equal(frame.species, first.species):
            raise InputError(
                f"{place}: wanted the same species in the same order in all frames, got others; "
                "give the frames of one system"
            )
        half = half_box(frame.cells[0])
        if reach > half:
            raise InputError(
                f"{place}: wanted cut-offs of at most half of the box, {half:.2f} Å, got "
                f"{reach:g}; lower them, or take a larger system"
            )
        yield frame


def half_box(cell: np.ndarray) -> float:
    """Half of the smallest distance of opposite faces, Å, of a cell (3, 3)."""
    return 1 / np.linalg.norm(np.linalg.inv(cell), axis=0).max() / 2
