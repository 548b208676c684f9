"""Where a result came from: version, commit, host and time, recorded in every artefact."""

import datetime
import functools
import platform
import subprocess
from importlib import metadata
from pathlib import Path

from mlipkd import __version__


@functools.cache
def commit() -> str:
    """The commit of the checkout that mlipkd runs from, with ``+`` if changed; or ``installed``."""
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return "installed"

    def git(*words: str) -> str:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else ""

    changed = "+" if git("status", "--porcelain", "--untracked-files=no") else ""
    return (git("rev-parse", "--short=12", "HEAD") or "unknown") + changed


def record(**more: object) -> dict:
    """What every artefact states about itself, with the artefact's own facts added."""
    return {
        "mlipkd": __version__,
        "commit": commit(),
        "python": platform.python_version(),
        "torch": metadata.version("torch"),
        "host": platform.node(),
        "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        **more,
    }
