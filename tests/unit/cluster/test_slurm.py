from math import inf

import pytest

from mlipkd.cluster.slurm import (
    Nodes,
    describe,
    gpus,
    minutes,
    parse_partitions,
    query,
    read_cluster,
)
from mlipkd.errors import InputError
from tests.unit.cluster.clusters import LARGE, PLAIN, SMALL, cluster, partition


@pytest.mark.parametrize(
    ("gres", "expected"),
    [
        ("(null)", {}),
        ("gpu:4", {"": 4}),
        ("gpu", {"": 1}),
        ("gpu:a100:4(S:0-1)", {"a100": 4}),
        ("gpu:a100:2(S:0,3),gpu:v100:1(S:1),shard:a100:8", {"a100": 2, "v100": 1}),
        ("gpu:a100:no_consume:2", {"a100": 2}),
        ("gpu:a100:1,gpu:a100:1", {"a100": 2}),
        ("craynetwork:4", {}),
    ],
)
def test_gpus(gres, expected):
    assert dict(gpus(gres)) == expected


@pytest.mark.parametrize(
    ("time", "expected"),
    [("00:30:00", 30), ("12:00:00", 720), ("2-12:30:00", 3630), ("UNLIMITED", inf)],
)
def test_minutes(time, expected):
    assert minutes(time) == expected


def test_one_node():
    read = cluster(SMALL)
    assert read.default == read.partitions["main"]
    assert read.default.nodes == [Nodes(1, 8, 256000, {"": 4}, "idle")]
    assert (read.default.limit, read.default.preemption) == (inf, "OFF")
    assert not read.accounting
    assert read.settings["KillWait"] == "5 sec"


def test_several_partitions():
    read = cluster(LARGE)
    assert list(read.partitions) == ["cpu", "gpu", "spare", "old"]
    assert read.default.name == "cpu"
    gpu = read.partitions["gpu"]
    assert (gpu.limit, gpu.gpus(), gpu.cpus(1)) == (3630, 9, 48)
    assert gpu.nodes[1].gpus == {"a100": 2, "1g.5gb": 7}
    assert not read.partitions["old"].up
    assert read.accounting
    assert read.accounts == {"lab": "normal,long", "course": "normal"}
    assert read.default_account == "lab"


def test_memory_is_that_of_a_node_with_gpus_and_within_the_partitions_limit():
    rows = "mixed|1|8|900000|(null)|idle\nmixed|1|8|100000|gpu:1|idle\n"
    mixed = parse_partitions(partition("mixed"), rows)["mixed"]
    assert (mixed.memory(0), mixed.memory(1)) == (900000, 100000)
    assert cluster(LARGE).partitions["gpu"].memory(1) == 250000


def test_the_highest_partition_is_not_preempted():
    read = cluster(LARGE)
    assert read.preempted(read.partitions["spare"]) == "CANCEL"
    assert read.preempted(read.partitions["gpu"]) == "OFF"
    read = cluster(LARGE, PreemptType="preempt/none")
    assert read.preempted(read.partitions["spare"]) == "OFF"


def test_no_default_and_no_partitions():
    assert cluster(PLAIN).default is None
    assert parse_partitions("No partitions in the system\n", "") == {}


def test_questions_that_the_cluster_is_asked(tmp_path, monkeypatch):
    """Stand-ins for SLURM's commands, each of which answers one command line."""
    stand_in(tmp_path, "sinfo", "--noheader --exact --format=%R|%D|%c|%m|%G|%T", LARGE.nodes)
    scontrol = {"show partition --oneliner": LARGE.partitions, "show config": LARGE.settings}
    cases = "".join(f"'{words}') cat <<'END'\n{said}END\n;;\n" for words, said in scontrol.items())
    executable(tmp_path / "scontrol", f'case "$*" in\n{cases}*) exit 1;; esac')
    asked = "--noheader --parsable2 show user withassoc where name=me cluster=large"
    stand_in(tmp_path, "sacctmgr", f"{asked} format=defaultaccount,account,qos", LARGE.accounts)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("LOGNAME", "me")
    assert read_cluster() == cluster(LARGE)


def test_no_slurm(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"expected scontrol on the PATH.*login node"):
        read_cluster()


def test_slurm_that_does_not_answer(monkeypatch, tmp_path):
    executable(tmp_path / "sinfo", "echo 'Unable to contact slurm controller' >&2; exit 1")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(InputError, match=r"status 1 \(Unable to contact slurm controller\)"):
        query("sinfo")


def row(text: str, name: str) -> list[str]:
    (line,) = [line for line in text.splitlines() if line.split()[:1] == [name]]
    return line.split()


def test_description_of_partitions():
    text = describe(cluster(LARGE))
    assert text.startswith("SLURM 24.05.2, cluster large\n")
    cpu = "cpu (default) up 24 h OFF 40 allocated, 2 idle, 4 drained* 64–128 192–1030 none"
    assert row(text, "cpu") == cpu.split()
    gpu = "gpu up 60.5 h OFF 8 mixed, 1 idle 48 384–512 34 a100, 7 1g.5gb"
    assert row(text, "gpu") == gpu.split()
    assert "spare up 12 h CANCEL" in " ".join(row(text, "spare"))
    assert row(text, "old")[1] == "closed"


def test_description_of_limits_and_accounts():
    text = describe(cluster(LARGE))
    assert "\nJobRequeue: 1\n" in text
    assert text.endswith("accounts: lab (QoS normal,long), course (QoS normal); default: lab")
    assert describe(cluster(SMALL)).endswith("accounts: none are kept")


def executable(path, script):
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def stand_in(folder, name, words, said):
    executable(folder / name, f"[ \"$*\" = '{words}' ] && cat <<'END'\n{said}END")
