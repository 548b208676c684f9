"""The status of a campaign: what its jobs came to, and how good its members are so far."""

import json
import os
from pathlib import Path

import pytest
import yaml

from mlipkd.errors import InputError
from mlipkd.status.jobs import jobs, last_run
from mlipkd.status.status import status
from tests.reported import CAMPAIGN, MODEL

LOG = """\
Select jobs to execute...
localrule train:
    output: results/metal/a/model.safetensors
    log: logs/metal/a/train.log
    jobid: 1
rule train:
    log: logs/metal/b/train.log
1 of 9 steps (11%) done
Error in rule train:
    message: None
    log: logs/metal/b/train.log (check log file(s) for error details)
rule train:
    log: logs/metal/c/train.log
Error in rule train:
    log: logs/metal/c/train.log (check log file(s) for error details)
rule train:
    log: logs/metal/c/train.log
rule errors:
    log: logs/metal/errors.log
2 of 9 steps (22%) done
"""


@pytest.fixture
def folder(tmp_path) -> Path:
    """Where Snakemake runs a campaign."""
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(CAMPAIGN, sort_keys=False))
    (tmp_path / ".snakemake" / "log").mkdir(parents=True)
    (tmp_path / ".snakemake" / "locks").mkdir()
    (tmp_path / ".snakemake" / "locks" / "0.input.lock").touch()
    (tmp_path / ".snakemake" / "log" / "2026-01-01.snakemake.log").write_text("9 of 9 steps")
    (tmp_path / ".snakemake" / "log" / "2026-01-02.snakemake.log").write_text(LOG)
    for place in "abcde":
        log = tmp_path / "logs" / "metal" / place / "train.log"
        log.parent.mkdir(parents=True)
        log.write_text("first\n" + {"e": "error: no file"}.get(place, "1/9\r2/9"))
    for place, later in {"a": 1, "d": -1}.items():
        log = tmp_path / "logs" / "metal" / place / "train.log"
        benchmark = log.with_name("train.benchmark.tsv")
        benchmark.touch()
        os.utime(benchmark, ns=(0, log.stat().st_mtime_ns + later))
    return tmp_path


def states(folder: Path) -> dict[str, str]:
    found = jobs(folder, last_run(folder))
    return {job.name: job.state for job in found}


def test_jobs_are_what_logs_and_benchmarks_say(folder) -> None:
    assert states(folder) == {
        "metal/a/train": "done",
        "metal/b/train": "failed",  # and was not tried again
        "metal/c/train": "running",  # after a failure
        "metal/d/train": "stopped",  # its benchmark is of an earlier run
        "metal/e/train": "failed",  # it says so itself
        "metal/errors": "running",  # it waits and has written nothing
    }


def test_a_job_counts_for_its_rule(folder) -> None:
    for place in ("tables/errors", "figures/metal/errors", "metal/a/own.lattice"):
        log = folder / "logs" / f"{place}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.touch()
    found = {job.name: job.rule for job in jobs(folder, None)}
    assert found["tables/errors"] == "collect"
    assert found["figures/metal/errors"] == "figure"
    assert found["metal/a/own.lattice"] == "own"
    assert found["metal/a/train"] == "train"


def test_nothing_runs_without_snakemake(folder) -> None:
    (folder / ".snakemake" / "locks" / "0.input.lock").unlink()
    found = states(folder)
    assert found["metal/c/train"] == found["metal/errors"] == "stopped"


def test_the_last_words_of_jobs_are_shown(folder) -> None:
    text = status(folder / "config.yaml", folder)
    assert "Snakemake runs; 2 of 9 steps of its last run are done" in text
    assert "metal/c/train: 2/9\n" in text
    assert "metal/errors: nothing" in text
    assert "metal/e/train: error: no file" in text


def test_a_run_that_started_nothing_says_nothing_of_jobs(folder) -> None:
    """Refused, to unlock the folder, or to try a cluster."""
    before = last_run(folder)
    later = {
        "03": "Building DAG of jobs...\nLockException:\n",
        "04": "Unlocked working directory.\n",
        "05": "rule train:\n    log: logs/slurm-check/any/any/host.log\n1 of 1 steps (100%) done\n",
    }
    for day, text in later.items():
        (folder / f".snakemake/log/2026-01-{day}.snakemake.log").write_text(text)
    assert last_run(folder) == before


def test_rules_of_one_model_are_told_apart(folder) -> None:
    """Their names have hyphens and points."""
    (folder / ".snakemake/log/2026-01-03.snakemake.log").write_text(
        "Error in rule errors:\n"
        "rule train_metal_b.1_n1-l0-a1-w4-s2:\n"
        "    log: logs/metal/b.1/n1-l0-a1-w4-s2/train.log\n"
        "Error in rule transfer_metal_c_n1-l0:\n"
        "    log: logs/metal/c/n1-l0/seed0/transfer.log (check log file(s) for error details)\n"
    )
    assert last_run(folder).failed == {
        "logs/metal/b.1/n1-l0-a1-w4-s2/train.log": False,
        "logs/metal/c/n1-l0/seed0/transfer.log": True,
    }


def test_what_slurm_says_is_no_job(folder) -> None:
    before = states(folder)
    for place in ("slurm/rule_train/metal_teachers/12", "slurm-check/any/any/host"):
        log = folder / "logs" / f"{place}.log"
        log.parent.mkdir(parents=True)
        log.touch()
    assert states(folder) == before


@pytest.mark.parametrize("text", ["{}\n", '{"epoch": 1, "validation": 2}\n', "\0\n", "[1]\n"])
def test_a_damaged_history_is_named(folder, text) -> None:
    path = folder / "results/metal/controls" / MODEL / "seed0/history.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(InputError, match=r"seed0/history\.jsonl: expected an epoch and its errors"):
        status(folder / "config.yaml", folder)


def test_errors_are_those_of_the_last_epoch(folder) -> None:
    def write(seed: int, name: str, errors: list[float], end: str = "\n") -> None:
        lines = [
            json.dumps(
                {
                    "epoch": epoch,
                    "validation": {
                        "reference forces": {"rmse": rmse, "mae": 9.0},
                        "teacher forces": {"rmse": 7.0, "mae": 9.0},
                    },
                }
            )
            for epoch, rmse in enumerate(errors, start=1)
        ]
        path = folder / "results" / "metal" / "controls" / MODEL / f"seed{seed}" / name
        path.parent.mkdir(parents=True)
        path.write_text("\n".join(lines) + end)

    write(0, "history.jsonl", [9.0, 2.0])
    (folder / "results/metal/controls" / MODEL / "seed0" / "model.safetensors").touch()
    write(1, "history.jsonl.partial", [4.0], end='\n{"epoch": 2, "val')  # it is being written
    text = status(folder / "config.yaml", folder)
    (line,) = (line for line in text.splitlines() if "controls" in line)
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells == ["metal/controls", MODEL, "1 of 3", "1–2 of 1000", "3.0 ± 1.4"]
    assert "forces, eV/Å" in text and "teacher" not in text.replace("metal/teachers", "")


def test_a_campaign_that_never_ran(tmp_path) -> None:
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(CAMPAIGN))
    text = status(tmp_path / "config.yaml", tmp_path)
    assert "never run" in text and "0 of 2" in text
