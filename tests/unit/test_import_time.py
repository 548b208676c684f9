"""Imports: what answers at once, such as --help, does not wait for PyTorch."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "module", ["mlipkd", "mlipkd.cli.main", "mlipkd.config", "mlipkd.evaluation"]
)
def test_pytorch_is_loaded_by_those_who_compute(module) -> None:
    """Beside it, the slowest imports, of which ASE takes a fifth of a second or more."""
    code = f"import sys, {module}; print({{'torch', 'scipy', 'MDAnalysis'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.parametrize("module", ["mlipkd.readers", "mlipkd.campaign.campaign"])
def test_a_campaign_is_read_without_what_its_jobs_need(module) -> None:
    heavy = "{'torch', 'scipy', 'MDAnalysis', 'ase', 'h5py', 'matplotlib', 'tblite', 'pooch'}"
    code = f"import sys, {module}; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
