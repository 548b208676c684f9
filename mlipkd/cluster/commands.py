"""Questions to SLURM, by its own commands."""

import subprocess

from mlipkd.errors import InputError

#: Seconds; a controller that is busy answers within its MessageTimeout, or not at all.
PATIENCE = 120


def ask(*words: str) -> str:
    """What a command of SLURM prints.

    Raises:
        InputError: there is no such command here, or it failed.
    """
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE)
    except FileNotFoundError:
        raise InputError(
            f"wanted {words[0]} on the PATH, found none; run on a login node of a cluster with "
            "SLURM"
        ) from None
    except subprocess.TimeoutExpired:
        raise InputError(
            f"{words[0]}: wanted an answer within {PATIENCE} s, got none; try again later"
        ) from None
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1]
        raise InputError(
            f"{' '.join(words)}: wanted an answer, got status {done.returncode} ({said}); run on a "
            "login node of a cluster with SLURM"
        )
    return done.stdout
