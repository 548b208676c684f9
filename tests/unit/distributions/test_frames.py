"""Which frames are those of a liquid."""

import numpy as np
import pytest

from mlipkd.datasets.file import DatasetFile, write
from mlipkd.dynamics.distributions import frames_of, half_box
from mlipkd.errors import InputError
from mlipkd.testing import dataset_of

BOX = 10 * np.eye(3)
POSITIONS = np.array([[1.0, 1, 1], [4, 4, 4]])


def read(tmp_path, *frames, indices=(0, 1), reach=5.0):
    write(dataset_of(list(frames), energy=np.zeros(len(frames))), tmp_path / "frames.h5")
    with DatasetFile(tmp_path / "frames.h5") as trajectory:
        return list(frames_of(trajectory, indices, reach))


def test_frames_that_were_asked_for(tmp_path) -> None:
    frames = [([1, 8], POSITIONS + shift, BOX) for shift in range(3)]
    frames = [(np.array(numbers), *rest) for numbers, *rest in frames]
    found = read(tmp_path, *frames, indices=[2, 0])
    assert [frame.positions[0, 0] for frame in found] == [3, 1]


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (([1, 8], np.zeros((3, 3))), "frame 1: expected a liquid, periodic in all directions"),
        (([8, 1], BOX), "frame 1: expected the same species in the same order in all frames"),
        (([1, 8], 0.9 * BOX), r"frame 1: .* at most half of the box, 4.50 Å, got 5; lower them"),
    ],
)
def test_frames_of_another_system(tmp_path, second, message) -> None:
    numbers, cell = second
    with pytest.raises(InputError, match=message):
        read(tmp_path, (np.array([1, 8]), POSITIONS, BOX), (np.array(numbers), POSITIONS, cell))


def test_half_of_a_skewed_box() -> None:
    assert half_box(np.array([[10.0, 0, 0], [5, 6, 0], [0, 0, 20]])) == pytest.approx(3)
