"""mlipkd slurm-check on a cluster: with its advice followed, a job comes back."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mlipkd.cluster.slurm import query
from mlipkd.cluster.trial import run_trial
from mlipkd.errors import InputError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(cluster, tmp_path, monkeypatch) -> Path:
    """The top of a checkout, with its own profile; its virtual environment is active."""
    for name in ("Snakefile", "workflow", "config.yaml"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "slurm").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    return tmp_path


def profile(*, changed: dict) -> None:
    """Write the project's profile with some sections changed, which looks at jobs more often."""
    settings = yaml.safe_load((ROOT / "slurm/config.yaml").read_text())
    for key, value in changed.items():
        settings[key] = settings.get(key, {}) | value if isinstance(value, dict) else value
    settings["slurm-init-seconds-before-status-checks"] = 2
    Path("slurm/config.yaml").write_text(yaml.safe_dump(settings))


def check() -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mlipkd", "slurm-check", "--wait", "3"]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def test_advice_followed_brings_a_job_back(folder):
    profile(changed={})
    first = check()
    assert first.returncode == 2
    changes = first.stdout.partition("slurm/config.yaml: change\n")[2].partition("Note:")[0]
    assert "slurm-status-command" in changes  # this cluster keeps no accounts
    profile(changed=yaml.safe_load(changes))
    second = check()
    assert "slurm/config.yaml fits this cluster." in second.stdout
    said = dict(line.split(": ", 1) for line in second.stdout.splitlines() if ": " in line)
    assert int(said["SLURM job"]) > 0
    assert said["GPUs given"] != "none"
    assert said["folder"] == str(folder)
    if said["GPUs that PyTorch sees"] == "none":
        assert "expected a GPU for the job" in second.stderr
    else:
        assert second.returncode == 0


def test_a_job_that_does_not_start_says_why_and_is_cancelled(folder):
    later = {"slurm_extra": "'--begin=now+1hour'"}
    profile(changed={"slurm-status-command": "squeue", "default-resources": later})
    news: list[str] = []
    with pytest.raises(InputError, match=r"got job \d+ pending \(BeginTime\); it was cancelled"):
        run_trial(folder / "slurm", 0.3, news.append)
    number = news[-1].split()[1]
    jobs = query("squeue", "--noheader", "--states=all", "--format=%A|%T").splitlines()
    assert f"{number}|CANCELLED" in jobs
