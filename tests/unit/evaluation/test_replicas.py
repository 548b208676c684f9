"""Replicas of a liquid of beads: where they begin, what is said of them, and the ensemble."""

import numpy as np
import pytest

pytest.importorskip("torch_sim")

from mlipkd.datasets.dataset import TEST, TRAIN, Bead, Dataset, offsets_from
from mlipkd.datasets.file import DatasetFile, write
from mlipkd.dynamics.sampling import replica_starts
from mlipkd.errors import InputError, TryAgainError
from mlipkd.evaluation.replicas import ReplicasEvaluation, evaluate_replicas
from mlipkd.hipnn.file import load_potential
from mlipkd.jobs.resumable import Resumable

SETTINGS = ReplicasEvaluation(
    temperature=300,
    replicas=2,
    equilibration=0.04,
    duration=0.08,
    frames=4,
    timestep=2,
    closest=0.01,
)
BEADS = (Bead(name="heavy", mass=200.0), Bead(name="light", mass=20.0))


@pytest.fixture
def liquid(tmp_path):
    """Six configurations of eight heavy and eight light beads on a lattice, jittered."""
    sites = np.stack(np.meshgrid(*[np.arange(2.0)] * 3), -1).reshape(-1, 3) * 5.0
    lattice = np.concatenate([sites, sites + 2.5])  # (16, 3)
    generator = np.random.default_rng(0)
    frames = [lattice + generator.normal(0, 0.1, lattice.shape) for _ in range(6)]
    dataset = Dataset(
        name="liquid",
        species=np.tile(np.repeat([1, 2], 8).astype(np.uint8), 6),
        positions=np.concatenate(frames),
        offsets=offsets_from(np.full(6, 16)),
        cells=np.tile(np.eye(3) * 10, (6, 1, 1)),
        periodic=np.ones((6, 3), bool),
        groups=np.zeros(6, np.int64),
        splits=np.array([TRAIN, TEST, TEST, TRAIN, TEST, TRAIN], np.uint8),
        labels={"reference": {"forces": np.zeros((96, 3))}},
        provenance={"mlipkd": "0", "commit": "0"},
        beads=BEADS,
    )
    write(dataset, tmp_path / "dataset.h5")
    with DatasetFile(tmp_path / "dataset.h5") as file:
        yield file


def test_replicas_of_a_member_and_of_an_ensemble(liquid, write_model):
    members = [
        load_potential(write_model(f"{seed}.safetensors", seed=seed, species=(1, 2)))
        for seed in (0, 1)
    ]
    frames, rows, _ = evaluate_replicas(members[:1], liquid, SETTINGS)
    assert [(row.seed, row.metric, row.unit) for row in rows] == [
        (0, "failed", "1"),
        (0, "temperature", "K"),
        (0, "equilibrated", "ps"),
        (0, "speed", "ns/day"),
    ]
    assert rows[0].value == 0 and rows[3].value > 0
    assert frames.groups.tolist() == [0] * 4 + [1] * 4
    assert frames.beads == BEADS and frames.provenance["sampled_by"]["seed"] == 0
    assert np.isfinite(frames.labels["reference"]["energy"]).all()
    assert ((frames.positions >= 0) & (frames.positions <= 10)).all()
    together, rows, _ = evaluate_replicas(members, liquid, SETTINGS)
    assert {row.seed for row in rows} == {"ensemble"}
    assert not np.allclose(together.positions, frames.positions)


def test_a_run_that_is_stopped_again_and_again(liquid, write_model, tmp_path):
    member = load_potential(write_model("m.safetensors", species=(1, 2)))
    wanted, rows, _ = evaluate_replicas([member], liquid, SETTINGS)
    stops = 0
    while True:
        resumable = Resumable(tmp_path / "replicas.h5", "the same", lambda: "the test says so")
        try:
            found, others, _ = evaluate_replicas([member], liquid, SETTINGS, "cpu", resumable)
            break
        except TryAgainError:
            stops += 1
    assert stops == 6  # a piece for each of the frames
    np.testing.assert_array_equal(found.positions, wanted.positions)
    assert rows[:3] == others[:3]  # the fourth is the speed
    resumable.finish()
    assert not list(tmp_path.glob("replicas*"))


def test_starts(liquid):
    starts = replica_starts(liquid, replicas=2, temperature=300, seed=0)
    wanted = liquid.read(np.array([1, 4])).positions.reshape(2, 16, 3)
    for start, positions in zip(starts, wanted, strict=True):
        np.testing.assert_array_equal(start.positions, positions)
        assert start.get_masses().tolist() == [200.0] * 8 + [20.0] * 8
    assert not np.allclose(starts[0].get_momenta(), starts[1].get_momenta())
    squares = np.mean([np.square(start.get_velocities()).mean(1) for start in starts], axis=0)
    assert squares[8:].mean() / squares[:8].mean() == pytest.approx(10, rel=0.6)


def test_more_replicas_than_configurations_are_refused(liquid, write_model):
    member = load_potential(write_model("m.safetensors", species=(1, 2)))
    many = SETTINGS.model_copy(update={"replicas": 4})
    with pytest.raises(InputError, match=r"expected 4 configurations of the test split .* got 3"):
        evaluate_replicas([member], liquid, many)


def test_failed_replicas_are_told(liquid, write_model):
    member = load_potential(write_model("m.safetensors", species=(1, 2)))
    close = SETTINGS.model_copy(update={"closest": 4.5})
    frames, rows, notes = evaluate_replicas([member], liquid, close)
    assert [(row.metric, row.value) for row in rows] == [("failed", 1.0)]
    assert len(notes) == 2 and "replica 0 failed after 0.0 ps" in notes[0]
    assert len(frames) == 2 and np.isnan(frames.labels["reference"]["energy"]).all()
