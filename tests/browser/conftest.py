"""Chromium, which is installed if it is missing."""

import os
import shutil
import subprocess

import pytest


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser: of Debian's package, as root."""
    if path := shutil.which("chromium"):
        return path
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        pytest.skip("needs chromium; install it, which takes root and apt-get")
    for words in (["update"], ["install", "--yes", "--no-install-recommends", "chromium"]):
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "--quiet", *words], env=environment, check=True, timeout=900)
    return "chromium"
