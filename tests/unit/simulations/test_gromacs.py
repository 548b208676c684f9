"""What GROMACS says goes to the user, by a stand-in that says what it is told to."""

import os
import signal
import subprocess

import pytest

from mlipkd.errors import InputError, TryAgainError
from mlipkd.jobs.resumable import never
from mlipkd.simulations import gromacs

WARNED = """\
WARNING 1 [file system.top, line 15]:
  1 non-matching atom name
  atom names from system.top will be used

-------------------------------------------------------
Fatal error:
Too many warnings (1).

For more information and tips for troubleshooting, please check the website
"""
BLOWN_UP = """\
Step 10, time 0.02 (ps)  LINCS WARNING
-------------------------------------------------------
Fatal error:
Too many LINCS warnings (1000)
If you know what you are doing you can adjust the lincs warning threshold

For more information and tips for troubleshooting, please check the website
"""


@pytest.fixture
def gmx(tmp_path, monkeypatch):
    """A function that makes the stand-in, a shell script."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")

    def make(script: str) -> None:
        (tmp_path / "bin/gmx").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "bin/gmx").chmod(0o755)

    return make


def test_warnings_of_grompp_are_refused_and_told(gmx, tmp_path) -> None:
    (tmp_path / "said").write_text(WARNED)
    gmx("cat said >&2; exit 1")
    with pytest.raises(InputError, match=r"sampling: .* 1 non-matching atom name .* \(1\); fix"):
        gromacs.grompp(tmp_path, "sampling", "start.gro")
    assert not (tmp_path / "sampling.tpr").exists()


def test_grompp_never_overrides_a_warning(gmx, tmp_path) -> None:
    gmx('echo "$*" > words; touch new.tpr')
    made = gromacs.grompp(tmp_path, "sampling", "start.gro", "before.cpt")
    assert made == tmp_path / "sampling.tpr"
    assert made.exists()
    words = (tmp_path / "words").read_text()
    assert "maxwarn" not in words
    assert "-t before.cpt" in words


def test_dynamics_that_blow_up_are_told(gmx, tmp_path) -> None:
    (tmp_path / "said").write_text(BLOWN_UP)
    gmx("cat said; exit 1")
    with pytest.raises(InputError, match=r"Too many LINCS warnings \(1000\) .* shorter timestep"):
        gromacs.mdrun(tmp_path, "sampling", 1, never)
    assert not (tmp_path / "sampling.gro").exists()


def test_a_crash_without_a_reason_is_told(gmx, tmp_path) -> None:
    gmx("echo the last words; kill -SEGV $$")
    with pytest.raises(InputError, match="exit status -11 the last words"):
        gromacs.mdrun(tmp_path, "sampling", 1, never)


def test_mdrun_is_stopped_and_its_stage_is_not_done(gmx, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(gromacs, "POLL_EVERY", 0.05)
    gmx(
        "trap 'touch last.gro; echo stopped > told; exit 0' TERM; touch listening; "
        "while :; do sleep 0.05; done"
    )

    def stop() -> str | None:
        return "SIGTERM came" if (tmp_path / "listening").exists() else None

    with pytest.raises(TryAgainError, match="sampling stopped because SIGTERM came"):
        gromacs.mdrun(tmp_path, "sampling", 1, stop)
    assert (tmp_path / "told").read_text() == "stopped\n"
    assert not (tmp_path / "sampling.gro").exists()


def test_an_mdrun_that_outlived_its_parent_keeps_others_away(gmx, tmp_path) -> None:
    gmx("touch last.gro")
    with gromacs._locked(tmp_path) as lock:
        orphan = subprocess.Popen(["sleep", "60"], pass_fds=[lock])
    try:
        with pytest.raises(TryAgainError, match="whose parent was killed"):
            gromacs.mdrun(tmp_path, "sampling", 1, never)
    finally:
        orphan.send_signal(signal.SIGKILL)
        orphan.wait()
    gromacs.mdrun(tmp_path, "sampling", 1, never)
    assert (tmp_path / "sampling.gro").exists()


def test_without_gromacs_the_remedy_is_said(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"apt-get install gromacs; conda: envs/gromacs.yaml"):
        gromacs.version()
