"""GROMACS, run in a folder: M. J. Abraham et al., SoftwareX 1–2, 19 (2015).

The output of its programs goes to standard error when they are done; where one fails, the end of it
is the reason.
"""

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from mlipkd.errors import InputError, TryAgainError
from mlipkd.jobs.resumable import Stop

#: Minutes between checkpoints of mdrun.
CHECKPOINT_EVERY = 5
#: Seconds between two checks of whether mdrun should stop.
POLL_EVERY = 1.0
#: How an error of GROMACS begins and ends.
REASON = re.compile(
    r"(?:Fatal error|Error in user input|Inconsistency in user input|Invalid command-line options"
    r"|System I/O error|Software inconsistency error):\n(.*?)(?=\nFor more information|\Z)",
    re.DOTALL,
)
WARNING = re.compile(r"^(?:WARNING|ERROR) \d+ \[.*?\]:\n(.*?)\n\n", re.DOTALL | re.MULTILINE)


def version() -> str:
    """The version of GROMACS that is installed; raises InputError if there is none."""
    done = _gmx(Path(), ["--version"])
    return next(line for line in done.stdout.splitlines() if line.startswith("GROMACS version"))


def grompp(folder: Path, stage: str, start: str, state: str | None = None) -> Path:
    """Make ``<stage>.tpr`` of the parameters ``<stage>.mdp``, ``system.top`` and a structure.

    Args:
        folder: where all of them are.
        stage: the name of the parameters.
        start: the structure, .gro.
        state: a .cpt whose positions and velocities replace those of the structure.

    Raises:
        InputError: grompp found errors, or had warnings.
    """
    command = ["grompp", "-f", f"{stage}.mdp", "-po", f"{stage}.out.mdp", "-p", "system.top"]
    command += ["-c", start, "-o", "new.tpr", *(["-t", state] if state else [])]
    done = _gmx(folder, command)
    _print(done.stderr)
    if done.returncode != 0:
        raise InputError(
            f"{stage}: expected a system that gmx grompp takes, got: {_reason(done)}; fix the "
            "topology, or the molecules that go with it"
        )
    os.replace(folder / "new.tpr", folder / f"{stage}.tpr")
    return folder / f"{stage}.tpr"


def mdrun(folder: Path, stage: str, threads: int, stop: Stop) -> None:
    """Run ``<stage>.tpr``, from its checkpoint if there is one, and write ``<stage>.gro``.

    On the same machine with the same number of threads a resumed run gives the same bits.

    Raises:
        TryAgainError: it is time to stop, or an mdrun whose parent was killed still runs there.
        InputError: it failed.
    """
    command = [_program(), "-quiet", "-nobackup", "mdrun", "-deffnm", stage]
    command += ["-c", "last.gro", "-cpi", f"{stage}.cpt", "-cpt", str(CHECKPOINT_EVERY), "-reprod"]
    command += ["-ntmpi", "1", "-ntomp", str(threads), "-pin", "off"]
    log = folder / f"{stage}.output"
    with _locked(folder) as lock, open(log, "w") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | {"OMP_NUM_THREADS": str(threads)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=[lock],
        )
        try:
            reason = _wait_for(process, stop)
        finally:
            process.terminate()
            process.wait()
    text = log.read_text(errors="replace")
    _print(text)
    if reason:
        raise TryAgainError(f"{folder}: {stage} stopped because {reason}; the same command goes on")
    if process.returncode != 0:
        done = subprocess.CompletedProcess(command, process.returncode, "", text)
        raise InputError(
            f"{stage}: expected gmx mdrun to come to its end, got: {_reason(done)}; a system that "
            "blows up needs a shorter timestep, a milder annealing or a lower density"
        )
    os.replace(folder / "last.gro", folder / f"{stage}.gro")


def mean_temperature(folder: Path, stage: str) -> float:
    """The temperature of a stage, averaged over it, K."""
    command = ["energy", "-f", f"{stage}.edr", "-o", "temperature.xvg", "-xvg", "none"]
    done = _gmx(folder, command, "Temperature\n\n")
    if done.returncode != 0:
        raise InputError(
            f"{folder}: expected the temperature of {stage}, got: {_reason(done)}; delete the "
            "folder and run it again"
        )
    return float(np.loadtxt(folder / "temperature.xvg", ndmin=2)[:, 1].mean())


def _program() -> str:
    program = shutil.which("gmx")
    if program is None:
        raise InputError(
            "expected the program gmx of GROMACS, which is not installed; install it (Debian: "
            "apt-get install gromacs; conda: envs/gromacs.yaml), or load its module"
        )
    return program


def _gmx(folder: Path, words: Sequence[str], answers: str = "") -> subprocess.CompletedProcess[str]:
    """Run one of the programs that are quick."""
    command = [_program(), "-quiet", "-nobackup", *words]
    return subprocess.run(
        command, cwd=folder, input=answers, capture_output=True, text=True, check=False
    )


def _wait_for(process: subprocess.Popen, stop: Stop) -> str | None:
    """Wait for its end; the reason if it was stopped before."""
    while True:
        try:
            process.wait(POLL_EVERY)
            return stop()
        except subprocess.TimeoutExpired:
            if reason := stop():
                process.terminate()
                process.wait()
                return reason


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[int]:
    """Hold a lock that mdrun inherits, as it goes on writing where its parent is killed."""
    descriptor = os.open(folder / "mdrun.lock", os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield descriptor
    except BlockingIOError as error:
        raise TryAgainError(
            f"{folder}: an mdrun whose parent was killed is still running there; wait for it to "
            "end, or end it, and try again"
        ) from error
    finally:
        os.close(descriptor)


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    """What a program says was wrong, in one line."""
    text = done.stdout + done.stderr
    messages = [*WARNING.findall(text), *REASON.findall(text)]
    if not messages:
        messages = [f"exit status {done.returncode}", *text.strip().splitlines()[-5:]]
    return " ".join(" ".join(messages).split()).rstrip(".")


def _print(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
