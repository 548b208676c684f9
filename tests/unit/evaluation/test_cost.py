"""Cost: the system that is run, weights of known shapes, and one real measurement."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist

from mlipkd.config.evaluation import CostEvaluation
from mlipkd.evaluation.cost import evaluate_cost, system_of, weights
from mlipkd.hipnn.file import load_potential
from mlipkd.testing import dataset_of, random_crystal, random_molecule


def test_a_crystal_is_repeated_evenly() -> None:
    numbers, positions, _ = random_crystal(np.random.default_rng(0), 4)
    cell = np.diag([4.0, 5.0, 16.0])
    system = system_of(dataset_of([(numbers, positions, cell)]), 60)
    assert len(system) == 64  # 4 x 4 x 1
    assert system.cell.lengths().tolist() == [16, 20, 16]
    assert system.pbc.all()
    assert len(system) / system.get_volume() == pytest.approx(4 / np.linalg.det(cell))


def test_a_molecule_becomes_a_lattice_of_copies() -> None:
    numbers, positions, cell = random_molecule(np.random.default_rng(0), 9)
    system = system_of(dataset_of([(numbers, positions, cell)]), 80)
    assert len(system) % 9 == 0
    assert 80 <= len(system) <= 8 * 80
    assert not system.pbc.any()
    assert not system.cell.array.any()
    copies = system.positions.reshape(-1, 9, 3)
    for copy in copies:
        np.testing.assert_allclose(pdist(copy), pdist(positions), atol=1e-9)
    between = np.linalg.norm(copies[:, None, :, None] - copies[None, :, None], axis=-1)
    apart = between[~np.eye(len(copies), dtype=bool)]
    assert apart.min() >= 2.0 - 1e-9


@pytest.mark.parametrize(
    ("species", "shape", "expected"),
    [
        # HIP-NN-TS as counted by hand: KD-Al teacher and student, EKD teacher
        ((13,), {"l_max": 1, "atom_layers": 4, "width": 128, "sensitivities": 40}, 154_450),
        ((13,), {"l_max": 1, "atom_layers": 4, "width": 32, "sensitivities": 16}, 10_210),
        (
            (1, 6, 7, 8),
            {"n_interactions": 2, "l_max": 2, "atom_layers": 4, "width": 128, "sensitivities": 20},
            653_654,
        ),
    ],
)
def test_weights(write_model, species, shape, expected) -> None:
    potential = load_potential(write_model("model.safetensors", species=species, **shape))
    assert weights(potential) == expected


def test_equal_shapes_are_measured_once(write_model) -> None:
    models = [
        write_model("teacher.safetensors", "teachers", width=24),
        write_model("student.safetensors", "students", seed=3),
        write_model("control.safetensors", "controls"),
    ]
    dataset = dataset_of([random_crystal(np.random.default_rng(0), 4)])
    rows = evaluate_cost(
        dataset, models, CostEvaluation(atoms=100, steps=2), 1, torch.device("cpu")
    )
    found = {(row.family, row.metric): row.value for row in rows}
    assert len(rows) == 9
    assert {(row.metric, row.unit) for row in rows} == {
        ("weights", "1"), ("time", "µs/atom/step"), ("memory", "kB/atom"),
    }  # fmt: skip
    assert {row.seed for row in rows if row.family == "students"} == {3}
    for metric in ("weights", "time", "memory"):
        assert found["students", metric] == found["controls", metric]
    assert found["teachers", "weights"] > found["students", "weights"]
    assert found["teachers", "time"] > 0
    assert found["teachers", "memory"] > 0
