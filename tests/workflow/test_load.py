"""A campaign of more than a thousand jobs is planned within a minute and 1 GB."""

import os
import subprocess
import sys

import pytest

from tests.workflow.workspace import ROOT, SIZE

SECONDS, BYTES = 60, 1e9


@pytest.mark.slow
def test_a_thousand_jobs_are_planned(workspace, inject) -> None:
    campaign = workspace.config
    families = campaign["datasets"]["metal"]["families"]
    for name in ("students", "controls"):
        families[name]["model"] = {"width": [4, 8, 16, 32], "sensitivities": [2, 4, 8, 16, 32]}
        families[name]["seeds"] = 20
    families["teachers"]["seeds"] = 100
    workspace.config = campaign
    for dataset in campaign["datasets"]:  # so that all can be told what they take
        SIZE.write(workspace.folder / f"results/{dataset}/size.json")
    inject(f"load: over 1,000 jobs planned within {SECONDS} s and {BYTES / 1e9:g} GB", "recovered")

    with open(workspace.folder / "plan", "w") as plan:
        words = ["-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--dry-run"]
        process = subprocess.Popen(
            [sys.executable, *words], cwd=workspace.folder, stdout=plan, stderr=plan
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    assert (workspace.folder / "plan").read_text().count("    output: ") > 1000
    assert usage.ru_maxrss * 1024 < BYTES
    # Of its own and of what it waits for: what else the machine does is not Snakemake's.
    assert usage.ru_utime + usage.ru_stime < SECONDS
