"""Extras: a potential needs none of them, and who lacks one is told its name."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from mlipkd.errors import EXTRAS

ROOT = Path(__file__).parents[2]
#: Those that the packages which every installation has bring with them.
ALWAYS_THERE = {"jinja2", "matplotlib"}


def without(packages, code: str) -> subprocess.CompletedProcess:
    """Run code where packages are not installed."""
    absent = f"import sys; sys.modules.update(dict.fromkeys({sorted(packages)}))\n"
    command = [sys.executable, "-c", absent + code]
    return subprocess.run(command, capture_output=True, text=True)


def test_training_and_using_a_potential_need_no_extra() -> None:
    verbs = "train, predict, merge, evaluate"
    modules = "mlipkd.deploy.ase, mlipkd.training.loop, mlipkd.distillation.merge"
    code = f"import {modules}, mlipkd.distillation.predict, mlipkd.evaluation.errors\n"
    done = without(EXTRAS.keys() - ALWAYS_THERE, f"{code}from mlipkd.cli.main import {verbs}")
    assert done.returncode == 0, done.stderr


def test_what_lacks_is_named_with_its_extra() -> None:
    code = (
        "from mlipkd.cli.main import main; sys.argv[1:] = 'fetch --url {} --sha256 {} --output {}'"
    )
    done = without(["pooch"], code.format("https://a/b", "0" * 64, "c") + ".split(); main()")
    remedy = "run pip install -e '.[workflow]' in mlipkd's checkout"
    wanted = f"error: expected pooch, which is not installed; {remedy}\n"
    assert (done.returncode, done.stderr) == (2, wanted)


def test_each_extra_installs_what_is_said() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    assert "mlipkd[campaign]" in extras["workflow"]
    for package, extra in EXTRAS.items():
        listed = extras[extra] + (extras["campaign"] if extra == "workflow" else [])
        names = {re.split(r"[\[<>=~! ]", one)[0].replace("-", "_").lower() for one in listed}
        assert any(name.startswith(package.lower()) for name in names), package
