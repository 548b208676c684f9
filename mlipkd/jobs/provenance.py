"""Where a result came from: version, commit, host and time, recorded in every artefact.

A campaign's jobs run later than it was submitted, and on other machines. Their environment says
which code they were submitted with, and they refuse to run any other.
"""

import datetime
import functools
import hashlib
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

import mlipkd
from mlipkd.errors import InputError

#: The folder of this package's modules.
PACKAGE = Path(mlipkd.__file__).resolve().parent
#: The environment variable that holds ``code()`` as it was when the campaign was started.
SUBMITTED = "MLIPKD_CODE"
#: Suffixes of source files: Python, and what kernels are compiled from.
SOURCES = (".py", ".cpp", ".h")


@functools.cache
def commit() -> str:
    """The commit of the checkout that mlipkd runs from, with ``+`` if changed; or ``installed``."""
    root = PACKAGE.parent
    if not (root / ".git").exists():
        return "installed"

    def git(*words: str) -> str:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else ""

    changed = "+" if git("status", "--porcelain", "--untracked-files=no") else ""
    return (git("rev-parse", "--short=12", "HEAD") or "unknown") + changed


@functools.cache
def code() -> str:
    """SHA-256 of this package's modules and kernels and of PyTorch's version, hexadecimal."""
    digest = hashlib.sha256(metadata.version("torch").encode())
    for source in sorted(path for path in PACKAGE.rglob("*") if path.suffix in SOURCES):
        digest.update(str(source.relative_to(PACKAGE)).encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()


def refuse_other_code() -> None:
    """Compare this code with the code that the job was submitted with, if it was submitted.

    Raises:
        InputError: they differ.
    """
    submitted = os.environ.get(SUBMITTED)
    if submitted is not None and submitted != code():
        raise InputError(
            f"{PACKAGE} on {platform.node()}: expected the code that the campaign was started "
            f"with ({submitted[:12]}…), got other code or another PyTorch "
            f"({code()[:12]}…); give compute nodes the environment of the login node, or, after a "
            "change, start snakemake again"
        )


def record(**facts: object) -> dict:
    """What every artefact states about its origin, with facts about this one added."""
    return {
        "mlipkd": mlipkd.__version__,
        "commit": commit(),
        "python": platform.python_version(),
        "torch": metadata.version("torch"),
        "host": platform.node(),
        "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        **facts,
    }
