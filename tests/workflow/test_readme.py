"""The README: each of its commands is run as it stands, on tiny data, or planned; or it says why
not. They run in the README's order, in one folder, where each finds what those before it left.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from mlipkd.config.model import Architecture
from mlipkd.hipnn.file import Potential, save_potential
from mlipkd.hipnn.initial import initialise
from mlipkd.hipnn.network import HIPNN
from mlipkd.jobs import provenance
from tests.models import small_shape
from tests.springs import spring_labels

ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(r"^```(sh|python)\n(.*?)^```", (ROOT / "README.md").read_text(), re.M | re.S)
COMMANDS = [
    " ".join(words)
    for language, block in BLOCKS
    if language == "sh"
    for line in block.replace("\\\n", " ").splitlines()
    if (words := shlex.split(line, comments=True))
]
SCRIPTS = [block for language, block in BLOCKS if language == "python"]

#: What the commands find in the checkout.
LINKED = ("Makefile", "Snakefile", "campaigns", "config.yaml", "envs", "mlipkd", "pyproject.toml",
          "setup.py", "workflow")  # fmt: skip
#: What cannot be run here, and why.
NOT_RUN = {
    ". .venv/bin/activate": "the tests run in that environment",
    "mlipkd slurm-check": "needs SLURM: tests/slurm/test_check.py",
    "snakemake --profile slurm": "needs SLURM: tests/slurm/test_campaign.py",
    "mlipkd fit-sizing --output workflow/sizing.yaml runs/sizing > docs/sizing.md": (
        "needs campaigns that ran: tests/workflow/test_sizing.py"
    ),
}
#: Scripts that cannot be run here, by a word in them, and why.
SCRIPTS_NOT_RUN = {
    "lammps": "needs an input of LAMMPS: tests/unit/deploy/test_lammps.py",
    "MLIPKD([...])": "two lines for the reader's own atoms: tests/physics/test_deployments.py",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder that looks like the checkout, with twenty-odd configurations of ethanol."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in LINKED:
        (folder / name).symlink_to(ROOT / name)
    _write_ethanol(folder / "ethanol.h5")
    network = HIPNN(shape := small_shape(), (1, 6, 8))
    initialise(network, 0)
    own = {"dataset": "ethanol", "family": "students", "seed": 0, "species": [1, 6, 8]}
    metadata = {**provenance.record(), **own, **_described(shape)}
    save_potential(
        Potential(network, metadata), folder / "results/recommended/ethanol/smallest.safetensors"
    )
    return folder


def _described(shape: Architecture) -> dict:
    return {"dataset_sha256": "d", "model": shape.name, "architecture": shape.model_dump()}


def _write_ethanol(path: Path) -> None:
    """In the layout of QM-22's file: ethanol on springs, in Ha and Å."""
    from ase.build import molecule
    from ase.units import Hartree

    atoms = molecule("CH3CH2OH")
    rng, rest = np.random.default_rng(0), atoms.positions
    positions = rest + rng.normal(scale=0.03, size=(24, *rest.shape))
    labels = [spring_labels(moved, rest, 10.0, -155.0 * Hartree) for moved in positions]
    with h5py.File(path, "w") as file:
        group = file.create_group("Ethanol")
        group["atomic_numbers"] = atoms.numbers
        group["coordinates"] = positions
        group["b3lyp.energy"] = np.array([energy for energy, _ in labels]) / Hartree
        group["b3lyp.forces"] = np.array([forces for _, forces in labels]) / Hartree


def run(folder: Path, *words: str) -> str:
    """Run words as a shell would that has the environment's programs."""
    bin_ = Path(sys.executable).parent
    done = subprocess.run(
        words,
        cwd=folder,
        env=os.environ | {"PATH": f"{bin_}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_there_are_commands_and_all_that_is_not_run_is_there() -> None:
    assert len(COMMANDS) > 10
    assert set(NOT_RUN) <= set(COMMANDS)
    assert all(any(word in script for script in SCRIPTS) for word in SCRIPTS_NOT_RUN)
    assert "```\n" + "mlipkd" not in (ROOT / "README.md").read_text()


def test_the_data_are_converted_as_is_said(folder) -> None:
    (script,) = [script for script in SCRIPTS if "ethanol.h5" in script]
    run(folder, sys.executable, "-c", script)
    assert (folder / "ethanol.xyz").read_text().count("Properties") == 24


@pytest.mark.parametrize("command", [own for own in COMMANDS if own not in NOT_RUN])
def test_a_command_runs(folder, command) -> None:
    """Verbs run as they stand; make and Snakemake say what they would do."""
    program, *words = shlex.split(command)
    match program:
        case "mlipkd":
            run(folder, sys.executable, "-m", "mlipkd", *words)
        case "snakemake":
            plan = run(folder, sys.executable, "-m", "snakemake", *words, "--dry-run")
            assert "Job stats" in plan
        case "make":
            assert "python" in run(folder, "make", "--dry-run", *words)
        case _:
            pytest.fail(f"{command}: expected mlipkd, snakemake or make; or a reason in NOT_RUN")


@pytest.mark.parametrize("script", [s for s in SCRIPTS if "ethanol.h5" not in s])
def test_a_script_runs(folder, script) -> None:
    if any(word in script for word in SCRIPTS_NOT_RUN):
        return
    run(folder, sys.executable, "-c", script.replace(".run(", ".run(steps=2, "))
