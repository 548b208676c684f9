"""Sampling in pieces: what is done goes on, what fails leaves, and stopping changes nothing."""

import numpy as np
import pytest
from ase import Atoms

from mlipkd.dynamics.sampling import sample_in_pieces
from mlipkd.dynamics.trajectories import Frame, NVTRun, dataset_of, with_positions_and_momenta
from mlipkd.errors import TryAgainError
from mlipkd.jobs import provenance
from mlipkd.jobs.resumable import Resumable

#: Frames of each piece.
PIECES = [3, 2, 2]


def starts() -> list[Atoms]:
    return [Atoms("H2", np.full((2, 3), place), cell=[9] * 3, pbc=True) for place in (0.0, 4.0)]


def walk(length: int, running: list[NVTRun]) -> list[NVTRun]:
    """Frames 1/3 Å further each; a run fails beyond 5 Å."""
    parts = []
    for run in running:
        part = NVTRun(run.end)
        for _ in range(length):
            positions = part.end.positions + 1 / 3
            if positions.max() > 5:
                part.failed = True
                break
            atoms = with_positions_and_momenta(part.end, positions, -positions)
            part.frames.append(Frame(atoms, positions.sum(), 0.1))
        parts.append(part)
    return parts


def test_runs_go_on_and_leave_when_they_fail() -> None:
    (first, second), seconds = sample_in_pieces(starts(), PIECES, walk, Resumable())
    assert [len(first.frames), len(second.frames)] == [7, 3]
    assert [first.failed, second.failed] == [False, True]
    assert first.end.positions == pytest.approx(np.full((2, 3), 7 / 3))
    assert seconds > 0


def test_nothing_is_done_once_all_have_failed() -> None:
    calls = []

    def advance(length: int, running: list[NVTRun]) -> list[NVTRun]:
        calls.append(length)
        return [NVTRun(run.end, failed=True) for run in running]

    sample_in_pieces(starts(), PIECES, advance, Resumable())
    assert calls == [3]


def test_stopped_after_every_piece(tmp_path) -> None:
    whole, _ = sample_in_pieces(starts(), PIECES, walk, Resumable())
    stops = 0
    while True:
        resumable = Resumable(tmp_path / "frames.h5", "the same", lambda: "the test says so")
        try:
            runs, _ = sample_in_pieces(starts(), PIECES, walk, resumable)
            break
        except TryAgainError:
            stops += 1
    assert stops == len(PIECES)
    for run, expected in zip(runs, whole, strict=True):
        assert run.failed == expected.failed
        for frame, other in zip(run.frames, expected.frames, strict=True):
            np.testing.assert_array_equal(frame.atoms.positions, other.atoms.positions)
            np.testing.assert_array_equal(frame.atoms.get_momenta(), other.atoms.get_momenta())
            assert (frame.energy, frame.pressure) == (other.energy, other.pressure)


def test_frames_become_a_dataset_with_a_group_for_each_run() -> None:
    runs, _ = sample_in_pieces(starts(), PIECES, walk, Resumable())
    dataset = dataset_of("liquid", runs, provenance.record())
    assert dataset.groups.tolist() == [0] * 7 + [1] * 3
    assert dataset.labels["reference"]["energy"][6] == pytest.approx(6 * 7 / 3)
    nothing = dataset_of("liquid", [NVTRun(start) for start in starts()], provenance.record())
    assert nothing.groups.tolist() == [0, 1]
    assert np.isnan(nothing.labels["reference"]["energy"]).all()
