"""Simulations by packmol and GROMACS, from a campaign to a dataset of beads."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

from mlipkd.checks.check import check
from mlipkd.config.simulation import Simulation
from mlipkd.datasets.dataset import Dataset
from mlipkd.datasets.file import read
from mlipkd.errors import InputError
from mlipkd.jobs.artefacts import verify
from mlipkd.simulations.simulate import simulate

ROOT = Path(__file__).parents[2]
#: OPLS-AA as GROMACS has it: W. L. Jorgensen et al., J. Am. Chem. Soc. 118, 11225 (1996).
TOPOLOGY = """\
#include "oplsaa.ff/forcefield.itp"
#include "oplsaa.ff/methanol.itp"
#include "oplsaa.ff/spce.itp"
"""
METHANOL = """\
methanol
6
    1MET      C    1   0.000   0.000   0.000
    1MET      H    2   0.036   0.103   0.000
    1MET      H    3   0.036  -0.051   0.089
    1MET      H    4   0.036  -0.051  -0.089
    1MET     OA    5  -0.141   0.000   0.000
    1MET     HO    6  -0.173   0.090   0.000
   2.00000   2.00000   2.00000
"""
WATER = """\
HETATM    1  OW  SOL     1       0.000   0.000   0.000
HETATM    2  HW1 SOL     1       1.000   0.000   0.000
HETATM    3  HW2 SOL     1      -0.333   0.943   0.000
"""
SIMULATION = {
    "molecules": {
        "MET": {"number": 180, "structure": "methanol.gro"},
        "SOL": {"number": 180, "structure": "water.pdb"},
    },
    "topology": "solvent.top",
    "density": 0.85,
    "temperature": 300,
    "annealing": {"temperature": 400, "duration": 1},
    "equilibration": 1,
    "sampling": 2,
    "frame_every": 0.1,
}
BEADS = {"methanol": "resname MET", "water": "resname SOL"}
SHAPE = {"n_interactions": 1, "l_max": 0, "atom_layers": 1, "width": 4, "sensitivities": 4}


def campaign(simulation: dict, beads: dict) -> dict:
    """A campaign with one simulation, of which a dataset is made."""
    recipe = {
        "loss": [{"quantity": "forces", "labels": "reference", "weight": 1}],
        "batch": {"configurations": 2},
    }
    dataset = {
        "source": {"reader": "trajectory", "simulation": "liquid", "beads": beads, "blocks": 5},
        "model": {**SHAPE, "soft_min": 2, "soft_max": 7, "hard_max": 8},
        "families": {"teachers": {"recipe": "forces"}},
    }
    return {
        "simulations": {"liquid": simulation},
        "recipes": {"forces": recipe},
        "datasets": {"solvent": dataset},
    }


def run(folder: Path, content: dict) -> Dataset:
    """The dataset of a campaign that runs in a folder."""
    (folder / "config.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    words = ["--cores", "1", "--show-failed-logs", "results/solvent/dataset.h5"]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [*command, *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return read(folder / "results/solvent/dataset.h5")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with the files of a solvent."""
    made = tmp_path_factory.mktemp("solvent")
    (made / "solvent.top").write_text(TOPOLOGY)
    (made / "methanol.gro").write_text(METHANOL)
    (made / "water.pdb").write_text(WATER)
    return made


@pytest.fixture(scope="module")
def dataset(folder) -> Dataset:
    """The solvent's beads."""
    return run(folder, campaign(SIMULATION, BEADS))


def test_a_campaign_simulates_and_maps_what_it_learns_from(folder, dataset) -> None:
    assert len(dataset) == 21
    beads = {bead.name: bead.mass for bead in dataset.beads}
    assert beads == pytest.approx({"methanol": 32.04, "water": 18.02}, abs=0.01)
    assert dataset.species.tolist() == ([1] * 180 + [2] * 180) * 21
    grams = 180 * (32.042 + 18.015) / 6.02214e23
    assert grams / (dataset.cells[0, 0, 0] * 1e-8) ** 3 == pytest.approx(0.85, rel=1e-3)
    assert not check(dataset).faults
    results = folder / "results/simulations/liquid"
    for name in ("topology.tpr", "trajectory.trr"):
        verify(results / name)
    assert not list(results.glob("*.checkpoint"))
    log = (folder / "logs/simulations/liquid/simulation.log").read_text()
    assert "WARNING" not in log
    (mean,) = re.findall(r"mean temperature ([\d.]+) K, expected 300 K", log)
    assert float(mean) == pytest.approx(300, abs=20)


def test_forces_of_beads_add_up_to_nothing(dataset) -> None:
    """Newton's third law, within the error of the mesh of PME."""
    forces = dataset.labels["reference"]["forces"].reshape(21, -1, 3)
    assert np.abs(forces.sum(axis=1)).max() < 0.02 * np.abs(forces).sum(axis=1).min()
    assert forces.std() > 0.1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda one: one.name)
def test_what_was_stopped_goes_on_to_the_same_bits(folder, dataset, number) -> None:
    made = folder / "results/simulations/liquid"
    again = folder / f"again-{number.name}"
    command = [sys.executable, "-m", "mlipkd", "simulate", "--settings", made / "settings.yaml"]
    command += ["--topology", again / "topology.tpr", "--output", again / "trajectory.trr"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    first = subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.DEVNULL)
    frames = again / "trajectory.trr.checkpoint/sampling.trr"
    until = time.monotonic() + 600
    while not frames.exists() or frames.stat().st_size < 200_000:
        assert first.poll() is None
        assert time.monotonic() < until
        time.sleep(0.05)
    first.send_signal(number)
    assert first.wait(60) == {signal.SIGTERM: 75, signal.SIGKILL: -9}[number]
    assert not (again / "trajectory.trr").exists()
    while True:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600
        )
        if done.returncode != 75:
            break
        time.sleep(0.5)  # an mdrun that outlived its maker comes to its end
    assert done.returncode == 0, done.stderr
    assert "resuming in" in done.stderr
    assert (again / "trajectory.trr").read_bytes() == (made / "trajectory.trr").read_bytes()


def test_molecules_that_the_topology_has_not_are_refused(folder, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(folder)
    molecules = {"UREA": {"number": 9, "structure": "water.pdb", "residue": "SOL"}}
    wrong = Simulation.model_validate({**SIMULATION, "molecules": molecules})
    with pytest.raises(InputError, match="No such moleculetype UREA"):
        simulate(wrong, tmp_path / "topology.tpr", tmp_path / "trajectory.trr")
    assert not (tmp_path / "topology.tpr").exists()


def test_a_box_that_is_too_small_is_refused_before_it_is_packed(
    folder, tmp_path, monkeypatch
) -> None:
    monkeypatch.chdir(folder)
    small = Simulation.model_validate({**SIMULATION, "density": None, "box": 24})
    with pytest.raises(InputError, match="cut-off length is longer than half the shortest box"):
        simulate(small, tmp_path / "topology.tpr", tmp_path / "trajectory.trr")


def test_atoms_that_the_topology_calls_otherwise_are_refused(folder, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(folder)
    (tmp_path / "water.pdb").write_text(WATER.replace("HW2", "HX2"))
    water = {"number": 180, "structure": str(tmp_path / "water.pdb")}
    molecules = {**SIMULATION["molecules"], "SOL": water}
    other = Simulation.model_validate({**SIMULATION, "molecules": molecules})
    with pytest.raises(InputError, match="180 non-matching atom names"):
        simulate(other, tmp_path / "topology.tpr", tmp_path / "trajectory.trr")


#: Å³ for each choline in the trajectory of shared/data/des.
VOLUME = 57.2623**3 / 500


def test_a_deep_eutectic_solvent(shared_data, tmp_path) -> None:
    """Choline chloride and urea with OPLS-AA for DES, which is not ours to copy: bead forces are
    about as wide as those of an equilibrated trajectory, though nothing has relaxed in 8 ps."""
    field = shared_data / "des"
    structure = str(field / "start.gro")
    numbers = {"CHOL": 60, "Cl": 60, "UREA": 120}
    simulation = {
        "molecules": {n: {"number": m, "structure": structure} for n, m in numbers.items()},
        "topology": str(field / "ccu.top"),
        "includes": sorted(map(str, field.glob("*.itp"))),
        "box": round((60 * VOLUME) ** (1 / 3), 3),
        "temperature": 298.1,
        "annealing": {"temperature": 450, "duration": 4},
        "equilibration": 2,
        "sampling": 2,
        "frame_every": 0.1,
    }
    beads = {"choline": "resname CHOL", "chloride": "resname Cl", "urea": "resname UREA"}
    dataset = run(tmp_path, campaign(simulation, beads))
    forces = dataset.labels["reference"]["forces"]
    widths = [forces[dataset.species == kind].std() for kind in (1, 2, 3)]
    assert widths == pytest.approx([0.319, 0.230, 0.249], rel=0.25)
