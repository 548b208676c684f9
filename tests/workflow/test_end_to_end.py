"""A tiny campaign with everything in it, run with the real verbs: from nothing to its tables."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.calculators.emt import EMT

from mlipkd.datasets.file import DatasetFile
from mlipkd.hipnn.file import load_potential
from mlipkd.units import HARTREE

ROOT = Path(__file__).parents[2]
COLUMNS = ["dataset", "family", "model", "seed", "metric", "value", "unit"]
COLUMNS += ["subset", "condition", "at", "at_unit"]
SMALL, LARGE = "n1-l0-a1-w4-s4", "n1-l1-a1-w6-s6"

RECIPE = {
    "loss": [
        {"quantity": "energy_per_atom", "labels": "reference", "weight": 1},
        {"quantity": "forces", "labels": "reference", "weight": 1},
    ],
    "optimiser": {"epochs": 3, "learning_rate": 0.01},
    "batch": {"pairs": 4000},
    "split": "per_seed",
}
TAUGHT = [
    {"quantity": "atomic_energies", "labels": "teacher", "weight": 1},
    {"quantity": "stress", "labels": "teacher", "weight": {1: 1, 3: 0}},
]
SMALL_MODEL = {"l_max": 0, "width": 4, "sensitivities": 4}
CAMPAIGN = {
    "recipes": {
        "plain": RECIPE,
        "taught": RECIPE | {"loss": RECIPE["loss"] + TAUGHT},
    },
    "datasets": {
        "metal": {
            "source": {"reader": "aluminium-emt", "configurations": 48},
            "split": {"by": "group", "test": 0.3, "validation": 0.3},
            "model": {
                "n_interactions": 1,
                "atom_layers": 1,
                "soft_min": 1.8,
                "soft_max": 4.5,
                "hard_max": 5.0,
            },
            "families": {
                "teachers": {
                    "recipe": "plain",
                    "model": {"l_max": 1, "width": 6, "sensitivities": 6},
                    "seeds": 2,
                },
                "students": {"recipe": "taught", "learns_from": "teachers", "model": SMALL_MODEL},
                "students2": {"recipe": "taught", "learns_from": "students", "seeds": [1]},
                "controls": {"recipe": "plain", "model": SMALL_MODEL, "seeds": 2},
                "emt": {"calculator": {"type": "ase.calculators.emt:EMT"}},
                "pupils": {"recipe": "taught", "learns_from": "emt", "model": SMALL_MODEL},
            },
            "evaluations": {
                "comp6": {"suites": {"clusters": "clusters.h5"}},
                "cost": {"atoms": 40, "steps": 2},
                "recommended": {"teacher": "teachers", "within": 1000},
                "stability": {
                    "molecule": "Al",
                    "molecules": 16,
                    "density": 2.0,
                    "timesteps": [2.0],
                    "runs": 2,
                    "duration": 0.01,
                },
                "liquid": {
                    "temperature": 600,
                    "density": 2.7,
                    "atoms": 108,
                    "melting": {"temperature": 700, "duration": 0.01},
                    "equilibration": 0.004,
                    "duration": 0.008,
                    "frames": 4,
                    "conservation": 0.004,
                },
                "rdf": {"teacher": "teachers", "cutoff": 5},
            },
        }
    },
}


def write_clusters(path: Path) -> None:
    """Two clusters of aluminium with four conformers each, in the layout of COMP6."""
    generator = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        for atoms in (3, 4):
            places = 2.8 * np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1.0]])[:atoms]
            conformers = places + generator.normal(0, 0.1, (4, atoms, 3))
            clusters = [Atoms("Al" * atoms, one, calculator=EMT()) for one in conformers]
            group = file.create_group(f"clusters/al{atoms}")
            group["species"] = np.array([b"Al"] * atoms)
            group["coordinates"] = conformers
            group["energies"] = [one.get_potential_energy() / HARTREE for one in clusters]
            group["forces"] = [-one.get_forces() / HARTREE for one in clusters]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Where the campaign was run."""
    folder = tmp_path_factory.mktemp("campaign")
    (folder / "config.yaml").write_text(yaml.safe_dump(CAMPAIGN))
    write_clusters(folder / "clusters.h5")
    done = run(folder)
    logs = "\n".join(path.read_text() for path in folder.rglob("logs/**/*.log"))
    assert done.returncode == 0, done.stderr + logs
    return folder


def run(folder: Path) -> subprocess.CompletedProcess:
    profile = str(ROOT / "workflow" / "profiles" / "local")
    words = ["--snakefile", str(ROOT / "Snakefile"), "--profile", profile]
    command = [sys.executable, "-m", "snakemake", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=1800)


def rows(folder: Path, table: str) -> list[dict]:
    with open(folder / "results" / "tables" / f"{table}.csv", newline="") as file:
        reader = csv.DictReader(file)
        assert reader.fieldnames == COLUMNS
        return list(reader)


def test_tables_are_complete(folder: Path) -> None:
    seeds = {
        ("teachers", LARGE): {"0", "1", "ensemble"},
        ("students", SMALL): {"0", "1", "ensemble"},
        ("students2", SMALL): {"1"},
        ("controls", SMALL): {"0", "1", "ensemble"},
        ("emt", "calculator"): {"0"},
        ("pupils", SMALL): {"0"},
    }
    for table in ("errors", "comp6"):
        found = rows(folder, table)
        assert all(np.isfinite(float(row["value"])) for row in found)
        for (family, model), wanted in seeds.items():
            own = [row for row in found if (row["family"], row["model"]) == (family, model)]
            assert {row["seed"] for row in own} == wanted
    metrics = {(row["subset"], row["metric"]) for row in rows(folder, "comp6")}
    assert {("clusters", "conformer_energy_rmse"), ("all", "forces_mae")} <= metrics
    stability = rows(folder, "stability")
    assert {row["seed"] for row in stability if row["family"] == "controls"} == {"0", "1", "all"}
    at_2_fs = {row["metric"] for row in stability if (row["at"], row["at_unit"]) == ("2", "fs")}
    assert {"failed", "drift"} <= at_2_fs
    who = {"teachers", "students", "students2", "controls", "pupils"}
    liquid = rows(folder, "liquid")
    assert {row["family"] for row in liquid} == who
    assert {"failed", "temperature", "drift"} <= {row["metric"] for row in liquid}
    assert sum((row["metric"], row["at"]) == ("g", "2.875") for row in rows(folder, "rdf")) == 8
    tae = [row for row in rows(folder, "structure") if row["metric"] == "tae"]
    assert {row["family"] for row in tae} == who
    assert {row["metric"] for row in rows(folder, "cost")} == {"weights", "time", "memory"}
    recommended = folder / "results" / "recommended" / "metal"
    for name in ("smallest", "fastest", "leanest"):
        own = load_potential(recommended / f"{name}.safetensors").metadata
        chosen, *_ = (r for r in rows(folder, "recommended") if r["subset"] == name)
        assert (own["family"], own["model"]) == (chosen["family"], chosen["model"])
        assert own["family"] in {"students", "students2", "pupils"}
    figures = {path.stem for path in (folder / "results" / "figures" / "metal").glob("*.svg")}
    assert figures == {
        "errors",
        "comp6",
        "learning",
        "stability",
        "rdf",
        "pareto",
        "weights",
    }
    learning = rows(folder, "learning")
    assert {(row["family"], row["model"]) for row in learning} == seeds.keys() - {
        ("teachers", LARGE),
        ("emt", "calculator"),
    }
    assert ("forces_rmse", "validation", "epoch", "3") in {
        (row["metric"], row["subset"], row["condition"], row["at"]) for row in learning
    }
    summary = (folder / "results" / "summary.md").read_text()
    assert "students2 (1)" in summary
    assert "learning" not in summary
    assert "Warning" not in summary
    report = (folder / "results" / "report.html").read_text()
    assert report.count("data:image/svg+xml;base64,") == len(figures)
    assert "0.000 hours of 0 jobs" not in report


def test_who_learned_from_whom(folder: Path) -> None:
    metal = folder / "results" / "metal"
    taught = load_potential(metal / "students" / SMALL / "seed0" / "model.safetensors")
    plain = load_potential(metal / "controls" / SMALL / "seed0" / "model.safetensors")
    teachers = metal / "teachers" / LARGE
    with (
        DatasetFile(teachers / "augmented.h5") as augmented,
        DatasetFile(metal / "dataset.h5") as dataset,
    ):
        assert taught.metadata["dataset_sha256"] == augmented.sha256
        assert plain.metadata["dataset_sha256"] == dataset.sha256
        assert set(augmented.labels["teacher"]) >= {"energy", "forces", "atomic_energies"}
        np.testing.assert_array_equal(augmented.splits, dataset.splits)
    manifest = json.loads((teachers / "manifest.json").read_text())
    assert [member["seed"] for member in manifest["members"]] == [0, 1]
    students = json.loads((metal / "students" / SMALL / "manifest.json").read_text())
    assert students["family"] == "students"


def test_a_calculator_agrees_with_the_labels_that_were_made_with_it(folder: Path) -> None:
    for table in ("errors", "comp6"):
        own = [row for row in rows(folder, table) if row["family"] == "emt"]
        assert own
        assert all(float(row["value"]) < 1e-6 for row in own), own
    with DatasetFile(folder / "results/metal/emt/calculator/augmented.h5") as augmented:
        labels = augmented.read().labels
    for quantity, values in labels["reference"].items():
        np.testing.assert_allclose(labels["teacher"][quantity], values, atol=1e-9)


def test_the_test_split_is_never_trained_on(folder: Path) -> None:
    """Split sizes of every member add up to the dataset without its test split."""
    with DatasetFile(folder / "results" / "metal" / "dataset.h5") as dataset:
        tested = int((dataset.splits == 2).sum())
        for path in folder.glob("results/metal/*/*/seed*/model.safetensors"):
            used = load_potential(path).metadata["training"]["configurations"]
            assert sum(used.values()) == len(dataset) - tested


def test_a_second_run_does_nothing(folder: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in folder.glob("results/**/*") if p.is_file()}
    done = run(folder)
    assert done.returncode == 0
    assert "Nothing to be done" in done.stderr + done.stdout
    assert before == {p: p.stat().st_mtime_ns for p in folder.glob("results/**/*") if p.is_file()}
