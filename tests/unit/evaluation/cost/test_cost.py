"""Cost: weights of known shapes, real measurements, and how they grow with the system."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from mlipkd.errors import InputError
from mlipkd.evaluation.cost import measurement
from mlipkd.evaluation.cost.cost import CostEvaluation, count_weights, evaluate_cost
from mlipkd.evaluation.cost.measurement import Measurement, available_memory, system_of
from mlipkd.hipnn.file import load_potential
from mlipkd.testing import dataset_of, random_crystal


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
    assert count_weights(potential) == expected


def read(models: list) -> dict:
    return {model: load_potential(model) for model in models}


def test_equal_shapes_are_measured_once(write_model) -> None:
    models = [
        write_model("teacher.safetensors", "teachers", width=24),
        write_model("student.safetensors", "students", seed=3),
        write_model("control.safetensors", "controls"),
    ]
    dataset = dataset_of([random_crystal(np.random.default_rng(0), 4)])
    rows, notes = evaluate_cost(
        dataset, read(models), CostEvaluation(atoms=100, steps=2), 1, torch.device("cpu")
    )
    assert not notes
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


def crystal():
    return dataset_of([random_crystal(np.random.default_rng(0), 4)])


def test_growth_is_measured(write_model) -> None:
    model = write_model("model.safetensors")
    settings = CostEvaluation(atoms=100, steps=2, growth=(500,))
    rows, notes = evaluate_cost(crystal(), read([model]), settings, 1, torch.device("cpu"))
    found = {(row.metric, row.at, row.unit): row.value for row in rows}
    assert list(found) == [
        *[("weights", None, "1"), ("time", None, "µs/atom/step"), ("memory", None, "kB/atom")],
        ("most_atoms", None, "1"),
        *[("time", 500, "µs/atom/step"), ("memory", 500, "kB/atom")],
    ]
    assert {row.condition for row in rows if row.at} == {"atoms"}
    assert min(found.values()) > 0
    memory = found["most_atoms", None, "1"] * found["memory", 500, "kB/atom"] * 1e3
    assert memory == pytest.approx(available_memory(torch.device("cpu")), rel=0.5)
    assert [note.partition(":")[0] for note in notes] == ["most_atoms is a division, not a run"]


@pytest.fixture
def measured(monkeypatch):
    """The runs that were asked for, (model, atoms, steps), in a machine of 1 MB where n1 takes
    1 kB an atom, and n2 10 kB."""
    runs = []

    def measure(model, system, threads, device, steps, timestep) -> Measurement:
        runs.append((model.stem, len(system), steps))
        return Measurement(len(system) * {"n1": 1e3, "n2": 1e4}[model.stem], 1.0)

    monkeypatch.setattr(measurement, "measure_in_subprocess", measure)
    monkeypatch.setattr(measurement, "available_memory", lambda device: 1e6)
    return runs


def test_sizes_without_room_are_left_out(write_model, measured) -> None:
    models = [write_model(f"n{n}.safetensors", n_interactions=n) for n in (2, 1)]
    # Of 4 atoms, 2 x 2 x 1 copies are the first of at least 16, 3 x 3 x 2 of at least 64 and 70.
    settings = CostEvaluation(atoms=32, steps=8, growth=(16, 64, 70, 128, 1000))
    rows, notes = evaluate_cost(crystal(), read(models), settings, 1, torch.device("cpu"))
    assert measured[2:] == [  # as many steps of one atom, but at most 8
        *[("n2", 16, 8), ("n1", 16, 8)],
        *[("n2", 72, 4), ("n1", 72, 4)],
        ("n1", 144, 2),
    ]
    assert list(dict.fromkeys((row.metric, row.at) for row in rows))[3:] == [
        ("most_atoms", None),
        *[("time", atoms) for atoms in (16, 72, 144)],
        *[("memory", atoms) for atoms in (16, 72, 144)],
    ]
    assert [row.value for row in rows if row.metric == "most_atoms"] == [100, 1000]
    wanted = [("128", "0.00128", "72"), ("1000", "0.01", "72"), ("1000", "0.001", "144")]
    assert notes[:-1] == [
        f"{model}: {atoms} atoms are left out: judged by {known} atoms they take {memory} GB, "
        "more than 80% of the 0.001 GB there is"
        for model, (atoms, memory, known) in zip([*models[:1] * 2, models[1]], wanted, strict=True)
    ]


def test_a_process_that_fails_says_why(tmp_path, write_model) -> None:
    model = write_model("model.safetensors", species=(6,))  # knows no aluminium
    system = system_of(crystal(), 4)
    with pytest.raises(
        InputError, match=r"model\.safetensors: expected the cost of 4 atoms.*: expected"
    ):
        measurement.measure_in_subprocess(model, system, 1, torch.device("cpu"), 1, 1.0)


@pytest.mark.parametrize("growth", [[2000, 1000], [1000, 1000]])
def test_growth_ascends(growth) -> None:
    with pytest.raises(ValidationError, match=r"growth\n.*expected numbers that ascend, got"):
        CostEvaluation(growth=growth)
