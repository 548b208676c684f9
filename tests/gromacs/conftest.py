"""GROMACS and packmol, which are installed if they are missing."""

import os
import shutil
import subprocess

import pytest

PACKAGES = {"gmx": "gromacs", "packmol": "packmol"}


@pytest.fixture(scope="session", autouse=True)
def programs() -> None:
    """The programs of simulations: of Debian's packages, as root."""
    missing = [package for program, package in PACKAGES.items() if not shutil.which(program)]
    if not missing:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        pytest.skip(f"needs {' and '.join(missing)}; install them, which takes root and apt-get")
    install = ["install", "--yes", "--no-install-recommends", *missing]
    for words in (["update"], install):
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "--quiet", *words], env=environment, check=True, timeout=900)
