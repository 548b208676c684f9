"""Every piece of advice: a cluster and a profile that need it, and ones that do not."""

from pathlib import Path

import pytest
import yaml

from mlipkd.cluster.advice import Advice, advise, describe
from mlipkd.cluster.requests import Request
from tests.unit.cluster.clusters import LARGE, PLAIN, SMALL, Answers, cluster, partition

FILE = Path("slurm/config.yaml")
SQUEUE = {"slurm-status-command": "squeue"}


def asks(rule="train", **other) -> Request:
    defaults = dict(threads=4, gpus=1, memory=24000, runtime=2160, account="", partition="")
    return Request(rule, **{**defaults, "by_gres": False, **other})


def changes(answers, *requests, profile=SQUEUE, **settings) -> list[dict]:
    return [
        piece.change
        for piece in advise(cluster(answers, **settings), requests, profile)
        if piece.change
    ]


def notes(answers, *requests, profile=SQUEUE, **settings) -> str:
    advice = advise(cluster(answers, **settings), requests, profile)
    return "\n".join(piece.reason for piece in advice if not piece.change)


def test_what_fits_needs_no_advice():
    assert advise(cluster(SMALL), [asks(), asks("dataset", gpus=0)], SQUEUE) == []


def test_squeue_where_there_is_no_accounting():
    assert changes(SMALL, asks(), profile={}) == [SQUEUE]
    assert changes(LARGE, asks("dataset", gpus=0, runtime=60), profile={}) == []


def test_squeue_that_forgets_soon():
    (change,) = changes(SMALL, asks(), MinJobAge="90 sec")
    assert change == {"slurm-init-seconds-before-status-checks": 30}
    assert "90 s" in notes(SMALL, asks(), MinJobAge="90 sec")
    assert changes(SMALL, asks(), profile=SQUEUE | change, MinJobAge="90 sec") == []
    assert notes(SMALL, asks()) == ""
    assert notes(LARGE, asks(account="lab", partition="gpu")) == ""  # 60 s, but accounting


def test_requeue():
    assert changes(SMALL, asks(), JobRequeue="0") == [{"slurm-requeue": True}]
    assert changes(SMALL, asks(), profile=SQUEUE | {"slurm-requeue": True}, JobRequeue="0") == []


def test_account_where_there_are_none():
    account = {"default-resources": {"slurm_account": None}}
    assert changes(SMALL, asks(account="lab")) == [account]


def test_account_of_others():
    job = asks(partition="gpu", account="theirs")
    assert changes(LARGE, job) == [{"default-resources": {"slurm_account": "lab"}}]
    assert changes(LARGE, job._replace(account="course")) == []


def test_no_default_account():
    answers = LARGE._replace(accounts="|lab|normal\n")
    expected = {"default-resources": {"slurm_account": "lab"}}
    assert changes(answers, asks(partition="gpu")) == [expected]
    assert changes(answers, asks(partition="gpu", account="lab")) == []


def test_several_accounts():
    assert "your account lab; slurm_account may say course" in notes(LARGE, asks(partition="gpu"))
    assert notes(LARGE, asks(partition="gpu", account="lab")) == ""
    assert notes(LARGE._replace(accounts="lab|lab|normal\n"), asks(partition="gpu")) == ""


def test_no_account():
    answers = LARGE._replace(accounts="")
    assert "you have no account here" in notes(answers, asks(partition="gpu"))
    assert notes(answers, asks(partition="gpu"), AccountingStorageEnforce="none") == ""


def test_no_default_partition():
    """The one of most nodes."""
    expected = {"default-resources": {"slurm_partition": "short"}}
    job = asks("dataset", gpus=0, runtime=60)
    assert changes(PLAIN, job) == [expected]
    assert changes(PLAIN, job._replace(partition="week")) == []


def test_gpus_in_another_partition():
    jobs = [asks(), asks("errors", runtime=60), asks("dataset", gpus=0, runtime=60)]
    gpu = {"slurm_partition": "gpu"}
    assert changes(LARGE, *jobs) == [{"set-resources": {"train": gpu, "errors": gpu}}]
    assert changes(LARGE, asks(partition="gpu")) == []


@pytest.mark.parametrize("name", ["nowhere", "old"])
def test_partition_that_is_not_there_or_closed(name):
    expected = {"set-resources": {"dataset": {"slurm_partition": "cpu"}}}
    assert changes(LARGE, asks("dataset", gpus=0, runtime=60, partition=name)) == [expected]


def test_no_gpus():
    no_gpu = {"set-resources": {"train": {"gpu": 0}}}
    assert changes(PLAIN, asks(partition="week")) == [no_gpu]
    no_gres = {"set-resources": {"train": {"gres": None}}}
    assert changes(PLAIN, asks(partition="week", by_gres=True)) == [no_gres]
    assert changes(PLAIN, asks(partition="week", gpus=0)) == []


def test_gpus_by_gres():
    expected = {"set-resources": {"train": {"gpu": 0, "gres": "gpu:1"}}}
    assert changes(SMALL, asks(), SelectType="select/cons_res") == [expected]
    assert changes(SMALL, asks(by_gres=True), SelectType="select/cons_res") == []
    cray = {"SelectType": "select/cray_aries", "SelectTypeParameters": "OTHER_CONS_TRES"}
    assert changes(SMALL, asks(), **cray) == []


def test_runtime_above_the_limit():
    job = asks("dataset", gpus=0, runtime=1441)
    assert changes(LARGE, job) == [{"set-resources": {"dataset": {"runtime": 1440}}}]
    (piece,) = [a for a in advise(cluster(LARGE), [job], {}) if a.change]
    assert "(gpu would give more)" in piece.reason
    assert changes(LARGE, job._replace(runtime=1440)) == []


def test_memory_above_the_nodes():
    answers = Answers(partition("main", Default="YES"), SMALL.nodes, SMALL.settings)
    expected = {"set-resources": {"train": {"mem_mb": 256000}}}
    assert changes(answers, asks(memory=256001)) == [expected]
    assert changes(answers, asks(memory=256000)) == []


def test_more_threads_than_cpus():
    assert changes(SMALL, asks("cost", threads=16)) == [{"set-threads": {"cost": 8}}]
    assert changes(SMALL, asks("cost", threads=8)) == []


def test_partition_whose_jobs_are_cancelled():
    job = asks("dataset", gpus=0, runtime=60, account="lab", partition="spare")
    assert "partition spare are cancelled" in notes(LARGE, job)
    assert notes(LARGE, job._replace(partition="cpu")) == ""
    assert notes(LARGE, job, PreemptType="preempt/none") == ""


def test_no_partition_open():
    answers = SMALL._replace(partitions=SMALL.partitions.replace("State=UP", "State=DOWN"))
    assert "no partition is open" in notes(answers, asks())


def test_what_depends_on_data_that_are_not_there():
    unknown = asks("predict", memory=0, runtime=0, known=False)
    assert changes(SMALL, asks(), unknown) == []
    assert "what predict ask for is computed from data" in notes(SMALL, asks(), unknown)
    assert notes(SMALL, asks()) == ""


def test_changes_can_be_copied_into_the_profile():
    change = {"set-resources": {"train": {"gpu": 0, "gres": "gpu:1"}}}
    text = describe([Advice("why", {}), Advice("because", change)], FILE)
    assert text.startswith("slurm/config.yaml: change\n\n# because\n")
    assert text.endswith("\n\nNote: why.")
    assert yaml.safe_load(text.partition("\n")[2].partition("Note")[0]) == change


def test_lines_to_take_out():
    text = describe([Advice("x", {"default-resources": {"slurm_account": None}})], FILE)
    assert text.endswith("\n  slurm_account:   # take this line out")


def test_nothing_to_change():
    assert describe([], FILE) == "slurm/config.yaml fits this cluster."
    assert (
        describe([Advice("why", {})], FILE) == "slurm/config.yaml fits this cluster.\n\nNote: why."
    )
