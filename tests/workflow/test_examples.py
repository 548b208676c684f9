"""The examples: each is right by itself, their campaign runs, and the documentation quotes them."""

import csv
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.io import write
from ase.units import GPa
from scipy.optimize import brentq

from mlipkd.campaign import load_campaign
from mlipkd.imports import import_object
from mlipkd.readers.aluminium_emt import LATTICE_CONSTANT
from mlipkd.readers.ase_file import AseFile

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
#: Aluminium's lattice constant, Å, and bulk modulus, GPa: C. Kittel, Introduction to Solid State
#: Physics, chapters 1 and 3.
LATTICE, MODULUS = 4.05, 72.2


@pytest.fixture
def example(monkeypatch):
    """A function that finds what an example holds."""
    monkeypatch.syspath_prepend(EXAMPLES)
    return lambda path: import_object("examples", path)


def test_the_equation_of_state_of_emt(example) -> None:
    """Beside the pressure of ASE's EMT, which is 0 at rest and whose slope is the modulus."""

    def pressure(a: float) -> float:
        crystal = bulk("Al", a=a)
        crystal.calc = EMT()
        return -crystal.get_stress()[:3].mean()

    rest = brentq(pressure, 3.9, 4.1)
    modulus = -rest / 3 * (pressure(rest + 1e-3) - pressure(rest - 1e-3)) / 2e-3
    tested = [bulk("Al", a=scale * rest) for scale in (0.98, 1.02)]
    found = example("evaluation:equation_of_state")(EMT(), tested)
    assert found["lattice_constant"] == (pytest.approx(rest, abs=2e-3), "Å")
    assert found["bulk_modulus"] == (pytest.approx(modulus / GPa, rel=0.02), "GPa")
    assert rest == pytest.approx(LATTICE_CONSTANT, abs=1e-3)


def test_forces_of_the_calculator_are_slopes_of_its_energy(example) -> None:
    crystal = bulk("Al", cubic=True)
    crystal.rattle(0.1, seed=0)
    crystal.calc = example("calculator:Morse")()
    energies = []
    for step in (1e-5, -1e-5):
        moved = crystal.copy()
        moved.positions[1, 2] += step
        moved.calc = crystal.calc
        energies.append(moved.get_potential_energy())
    slope = (energies[0] - energies[1]) / 2e-5
    assert crystal.get_forces()[1, 2] == pytest.approx(-slope, rel=1e-6)
    energy = crystal.get_potential_energy()
    assert crystal.get_potential_energies().sum() == pytest.approx(energy)


def test_what_is_read_was_labelled_with_the_calculator(example) -> None:
    dataset = load_campaign(EXAMPLES / "campaign.yaml").datasets["aluminium"]
    source, family = dataset.source, dataset.families["morse"].calculator
    files = [str(ROOT / file) for file in source.files]
    frames = list(example(source.function)(files, **source.options))
    assert len(frames) == 32
    for atoms in frames[::8]:
        again = atoms.copy()
        again.calc = example(family.type)(**family.options)
        np.testing.assert_allclose(atoms.get_forces(), again.get_forces(), atol=1e-6)
        assert atoms.get_potential_energy() == pytest.approx(again.get_potential_energy(), abs=1e-6)


def test_the_calculator_is_a_reference_method(example, tmp_path) -> None:
    family = load_campaign(EXAMPLES / "campaign.yaml").datasets["aluminium"].families["morse"]
    crystals = [bulk("Al", a=a, cubic=True) for a in (3.9, 4.1)]
    write(tmp_path / "crystals.xyz", crystals)
    files = [str(tmp_path / "crystals.xyz")]
    source = AseFile(reader="ase", files=files, calculator=family.calculator)
    labels = source.read("aluminium").labels["reference"]
    for crystal, energy in zip(crystals, labels["energy"], strict=True):
        crystal.calc = example(family.calculator.type)(**family.calculator.options)
        assert energy == pytest.approx(crystal.get_potential_energy(), rel=1e-9)
    assert np.abs(labels["forces"]).max() < 1e-9  # by symmetry


@pytest.mark.slow
def test_the_campaign_runs(tmp_path) -> None:
    (tmp_path / "examples").symlink_to(EXAMPLES)
    words = ["--snakefile", str(ROOT / "Snakefile"), "--configfile", "examples/campaign.yaml"]
    profile = str(ROOT / "workflow" / "profiles" / "local")
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", *words, "--profile", profile, "results/summary.md"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": f"{EXAMPLES}:{ROOT}"},
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert done.returncode == 0, done.stderr
    tables = tmp_path / "results" / "tables"
    with open(tables / "own.csv", newline="") as file:
        found = {
            (row["family"], row["seed"], row["metric"]): float(row["value"])
            for row in csv.DictReader(file)
        }
    lattice = {key[:2]: value for key, value in found.items() if key[2].endswith("constant")}
    assert lattice["morse", "0"] == pytest.approx(LATTICE, rel=0.01)
    modulus = found["morse", "0", "bulk_modulus"]
    assert modulus == pytest.approx(MODULUS, rel=0.05)
    for seed in ("0", "1", "ensemble"):
        assert lattice["students", seed] == pytest.approx(lattice["morse", "0"], rel=0.02)
    with open(tables / "errors.csv", newline="") as file:
        exact = [float(row["value"]) for row in csv.DictReader(file) if row["family"] == "morse"]
    assert exact and max(exact) < 1e-5
    summary = (tmp_path / "results/summary.md").read_text()
    assert "| equation_of_state | " in summary
    assert "bulk_modulus, GPa" in summary


def quoted() -> list[tuple[str, str]]:
    """The blocks of docs/extending.md that begin with an example's path, with what follows it."""
    text = (ROOT / "docs" / "extending.md").read_text()
    return re.findall(r"^```\w+\n# (examples/\S+)\n(.*?)^```", text, re.M | re.S)


def test_there_are_quotations_of_all_examples() -> None:
    files = {str(path.relative_to(ROOT)) for path in EXAMPLES.iterdir() if path.is_file()}
    assert {path for path, _ in quoted()} == files


@pytest.mark.parametrize(("path", "block"), quoted())
def test_the_documentation_quotes_what_is_there(path, block) -> None:
    text = (ROOT / path).read_text()
    assert any(textwrap.indent(block, " " * deep) in text for deep in (0, 4))
