"""The counts are right: what fails after a fault was injected is silently wrong."""

import subprocess
import sys
from pathlib import Path

from benchmarks.reliability import table

TESTS = """\
def test_recovers(inject):
    inject("kill", "recovered")
    inject("kill", "recovered")

def test_fails(inject):
    inject("kill", "refused")
    assert False

def test_refuses(inject):
    inject("flip", "refused")
"""


def test_every_fault_has_its_outcome(tmp_path) -> None:
    (tmp_path / "conftest.py").write_text("from tests.counting import inject, pytest_addoption\n")
    (tmp_path / "test_it.py").write_text(TESTS)
    words = ["-m", "pytest", "--count-faults", str(tmp_path / "counts"), "-q", str(tmp_path)]
    subprocess.run([sys.executable, *words], cwd=Path(__file__).parents[2], capture_output=True)
    (file,) = (tmp_path / "counts").glob("*.jsonl")
    page = table(file.read_text().splitlines())
    assert "| flip | 1 | 0 | 1 | 0 |" in page
    assert "| kill | 3 | 2 | 0 | 1 |" in page
    assert "| **all** | 4 | 2 | 1 | 1 |" in page
