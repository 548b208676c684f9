from pathlib import Path

import yaml

from mlipkd.cluster.advice import Advice
from mlipkd.cluster.report import describe, tell
from tests.unit.cluster.clusters import LARGE, SMALL, offers

FILE = Path("slurm/config.yaml")


def row(text: str, name: str) -> list[str]:
    (line,) = [line for line in text.splitlines() if line.split()[:1] == [name]]
    return line.split()


def test_partitions():
    text = describe(offers(LARGE))
    assert text.startswith("SLURM 24.05.2, cluster large\n")
    cpu = "cpu (default) up 24 h OFF 40 allocated, 2 idle, 4 drained* 64–128 192–1030 none"
    assert row(text, "cpu") == cpu.split()
    gpu = "gpu up 60.5 h OFF 8 mixed, 1 idle 48 384–512 34 a100, 7 1g.5gb"
    assert row(text, "gpu") == gpu.split()
    assert "spare up 12 h CANCEL" in " ".join(row(text, "spare"))
    assert row(text, "old")[1] == "closed"


def test_limits_and_accounts():
    text = describe(offers(LARGE))
    assert "\nJobRequeue: 1\n" in text
    assert text.endswith("accounts: lab (QoS normal,long), course (QoS normal); default: lab")
    assert describe(offers(SMALL)).endswith("accounts: none are kept")


def test_changes_can_be_copied_into_the_profile():
    change = {"set-resources": {"train": {"gpu": 0, "gres": "gpu:1"}}}
    text = tell([Advice("why", {}), Advice("because", change)], FILE)
    assert text.startswith("slurm/config.yaml: change\n\n# because\n")
    assert text.endswith("\n\nNote: why.")
    assert yaml.safe_load(text.partition("\n")[2].partition("Note")[0]) == change


def test_lines_to_take_out():
    text = tell([Advice("x", {"default-resources": {"slurm_account": None}})], FILE)
    assert text.endswith("\n  slurm_account:   # take this line out")


def test_nothing_to_change():
    assert tell([], FILE) == "slurm/config.yaml fits this cluster."
    assert tell([Advice("why", {})], FILE) == "slurm/config.yaml fits this cluster.\n\nNote: why."
