"""mlipkd slurm-check with real Snakemake, and stand-ins for SLURM's commands."""

import os
import shutil
import subprocess
import sys

import pytest
import yaml

from mlipkd.cluster.trial import run_trial
from mlipkd.errors import InputError
from mlipkd.jobs import provenance
from tests.unit.cluster.clusters import SMALL
from tests.workflow.workspace import ROOT, Workspace

#: Jobs wait for ever. The name that squeue gives them is the one that they were submitted with.
WAITING = {
    "sbatch": """while [ "$1" != --job-name ]; do shift; done; echo "$2" > submitted; echo 42""",
    "squeue": """[ ! -e submitted ] || echo "$(cat submitted)|42|PENDING|Priority|" """,
    "scancel": 'echo "$*" > cancelled',
}
#: A profile that suits the cluster, for tests that cannot wait.
SUITED = {
    "slurm-status-command": "squeue",
    "slurm-init-seconds-before-status-checks": 1,
    "set-threads": {"cost": 8},
}


@pytest.fixture
def checkout(workspace, monkeypatch) -> Workspace:
    """A campaign beside the project's workflow, on a node with eight CPUs, without accounting."""
    shutil.copy(ROOT / "Snakefile", workspace.folder)
    shutil.copytree(ROOT / "workflow", workspace.folder / "workflow")
    shutil.copytree(ROOT / "slurm", workspace.folder / "slurm", symlinks=True)
    monkeypatch.chdir(workspace.folder)
    monkeypatch.setenv("PATH", f"{workspace.folder / 'bin'}:{os.environ['PATH']}")
    partitions, settings = said(SMALL.partitions), said(SMALL.settings)
    scontrol = f'case "$2" in partition) {partitions};; *) {settings} esac'
    install(sinfo=said(SMALL.nodes), scontrol=scontrol, sacct="exit 1")
    return workspace


def said(text: str) -> str:
    return f"cat <<'END'\n{text}END\n"


def install(**commands: str) -> None:
    """Put stand-ins into ``bin``, which is first on the PATH."""
    for name, script in commands.items():
        with open(f"bin/{name}", "w") as file:
            file.write(f"#!/bin/sh\n{script}\n")
            os.chmod(file.name, 0o755)


def check(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mlipkd", "slurm-check", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=900)


def edit(**changes) -> None:
    """Change the profile."""
    with open("slurm/config.yaml") as file:
        profile = yaml.safe_load(file)
    with open("slurm/config.yaml", "w") as file:
        yaml.safe_dump(profile | changes, file)


def test_what_to_change(checkout):
    done = check()
    assert done.returncode == 2
    assert "main (default)" in done.stdout
    _, _, changes = done.stdout.partition("slurm/config.yaml: change\n")
    wanted = "slurm-status-command: squeue", "set-threads:\n  cost: 8"
    assert all(lines in changes for lines in wanted)
    assert "set-resources" not in changes
    assert not os.path.exists("logs/slurm-check")


def test_a_campaign_of_another_folder(checkout):
    """Its paths count from there, and what a dry run writes is written there."""
    os.mkdir("runs")
    for file in ("water.xyz", "small.h5"):
        os.rename(file, f"runs/{file}")
    done = check("--directory", "runs")
    assert "slurm/config.yaml: change" in done.stdout, done.stderr
    assert os.path.exists("runs/results/water/settings.yaml")
    assert not os.path.exists("results")


def test_a_campaign_that_cannot_be_planned(checkout):
    os.remove("water.xyz")
    done = check()
    assert done.returncode == 2
    assert "water.xyz" in done.stderr
    assert "expected jobs that Snakemake can plan" in done.stderr


def test_a_job_that_is_refused(checkout):
    edit(**SUITED)
    install(sbatch="echo 'sbatch: error: Invalid qos specification' >&2; exit 1", squeue="")
    done = check()
    assert done.returncode == 2
    assert "slurm/config.yaml fits this cluster." in done.stdout
    assert "Invalid qos specification" in done.stderr
    assert "expected a job that comes back" in done.stderr


def test_the_job_is_told_the_code_that_it_was_submitted_with(checkout):
    edit(**SUITED)
    install(sbatch=f'echo "code ${provenance.SUBMITTED}" >&2; exit 1', squeue="")
    with pytest.raises(InputError, match=f"code {provenance.code()}"):
        run_trial(checkout.folder / "slurm", 1)


def test_a_job_that_does_not_start_is_cancelled(checkout):
    edit(**SUITED)
    install(**WAITING)
    news: list[str] = []
    with pytest.raises(InputError, match=r"within 0.2 minutes, got job 42 pending \(Priority\);"):
        run_trial(checkout.folder / "slurm", 0.2, news.append)
    assert news[-1] == "job 42 pending (Priority)"
    assert (checkout.folder / "cancelled").read_text().split() == ["42"]


@pytest.mark.parametrize("rest", ["groups", "gres"])
def test_the_trial_is_treated_as_training(checkout, rest):
    """What the profile says of ``train``, and what it offers as a comment, applies to the trial."""
    text = (ROOT / "slurm/config.yaml").read_text()
    if rest == "groups":
        text += "\n" + text[text.index("# groups:") :].replace("\n# ", "\n").removeprefix("# ")
    (checkout.folder / "slurm/config.yaml").write_text(text)
    if rest == "gres":
        edit(**{"set-resources": {"train": {"gpu": 0, "gres": "gpu:1"}}})
    done = checkout.snakemake(
        *("--snakefile", "workflow/check/Snakefile", "--profile", "slurm", "--dry-run"),
        "logs/slurm-check/any/any/host.txt",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert ("gres=gpu:1" if rest == "gres" else "gpu=1") in done.stdout
    assert ("Group job any+any" in done.stdout) == (rest == "groups")
