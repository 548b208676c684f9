from math import inf

import pytest

from mlipkd.cluster.offers import Nodes, ask, gpus, minutes, parse_partitions, read_offers
from mlipkd.errors import InputError
from tests.unit.cluster.clusters import LARGE, PLAIN, SMALL, offers, partition


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
    offered = offers(SMALL)
    assert offered.default == offered.partitions["main"]
    assert offered.default.nodes == [Nodes(1, 8, 256000, {"": 4}, "idle")]
    assert (offered.default.limit, offered.default.preemption) == (inf, "OFF")
    assert not offered.accounting
    assert offered.settings["KillWait"] == "5 sec"


def test_several_partitions():
    offered = offers(LARGE)
    assert list(offered.partitions) == ["cpu", "gpu", "spare", "old"]
    assert offered.default.name == "cpu"
    gpu = offered.partitions["gpu"]
    assert (gpu.limit, gpu.gpus(), gpu.cpus(1)) == (3630, 9, 48)
    assert gpu.nodes[1].gpus == {"a100": 2, "1g.5gb": 7}
    assert not offered.partitions["old"].up
    assert offered.accounting
    assert offered.accounts == {"lab": "normal,long", "course": "normal"}
    assert offered.default_account == "lab"


def test_memory_is_that_of_a_node_with_gpus_and_within_the_partitions_limit():
    rows = "mixed|1|8|900000|(null)|idle\nmixed|1|8|100000|gpu:1|idle\n"
    mixed = parse_partitions(partition("mixed"), rows)["mixed"]
    assert (mixed.memory(0), mixed.memory(1)) == (900000, 100000)
    assert offers(LARGE).partitions["gpu"].memory(1) == 250000


def test_the_highest_partition_is_not_preempted():
    offered = offers(LARGE)
    assert offered.preempted(offered.partitions["spare"]) == "CANCEL"
    assert offered.preempted(offered.partitions["gpu"]) == "OFF"
    offered = offers(LARGE, PreemptType="preempt/none")
    assert offered.preempted(offered.partitions["spare"]) == "OFF"


def test_no_default_and_no_partitions():
    assert offers(PLAIN).default is None
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
    assert read_offers() == offers(LARGE)


def test_no_slurm(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"expected scontrol on the PATH.*login node"):
        read_offers()


def test_slurm_that_does_not_answer(monkeypatch, tmp_path):
    executable(tmp_path / "sinfo", "echo 'Unable to contact slurm controller' >&2; exit 1")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(InputError, match=r"status 1 \(Unable to contact slurm controller\)"):
        ask("sinfo")


def executable(path, script):
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def stand_in(folder, name, words, said):
    executable(folder / name, f"[ \"$*\" = '{words}' ] && cat <<'END'\n{said}END")
