"""Every piece of advice: a cluster and a profile that want it, and ones that do not."""

import pytest

from mlipkd.cluster.advice import advise
from mlipkd.cluster.requests import Asked
from tests.unit.cluster.clusters import LARGE, PLAIN, SMALL, Said, offers, partition

SQUEUE = {"slurm-status-command": "squeue"}


def asks(rule="train", **other) -> Asked:
    wanted = dict(threads=4, gpus=1, memory=24000, runtime=2160, account="", partition="")
    return Asked(rule, **{**wanted, "by_gres": False, **other})


def changes(cluster, *asked, profile=SQUEUE, **settings) -> list[dict]:
    return [one.change for one in advise(offers(cluster, **settings), asked, profile) if one.change]


def notes(cluster, *asked, profile=SQUEUE, **settings) -> str:
    advice = advise(offers(cluster, **settings), asked, profile)
    return "\n".join(one.reason for one in advice if not one.change)


def test_what_fits_needs_no_advice():
    assert advise(offers(SMALL), [asks(), asks("dataset", gpus=0)], SQUEUE) == []


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
    cluster = LARGE._replace(accounts="|lab|normal\n")
    wanted = {"default-resources": {"slurm_account": "lab"}}
    assert changes(cluster, asks(partition="gpu")) == [wanted]
    assert changes(cluster, asks(partition="gpu", account="lab")) == []


def test_several_accounts():
    assert "your account lab; slurm_account may say course" in notes(LARGE, asks(partition="gpu"))
    assert notes(LARGE, asks(partition="gpu", account="lab")) == ""
    assert notes(LARGE._replace(accounts="lab|lab|normal\n"), asks(partition="gpu")) == ""


def test_no_account():
    cluster = LARGE._replace(accounts="")
    assert "you have no account here" in notes(cluster, asks(partition="gpu"))
    assert notes(cluster, asks(partition="gpu"), AccountingStorageEnforce="none") == ""


def test_no_default_partition():
    """The one of most nodes."""
    wanted = {"default-resources": {"slurm_partition": "short"}}
    job = asks("dataset", gpus=0, runtime=60)
    assert changes(PLAIN, job) == [wanted]
    assert changes(PLAIN, job._replace(partition="week")) == []


def test_gpus_in_another_partition():
    jobs = [asks(), asks("errors", runtime=60), asks("dataset", gpus=0, runtime=60)]
    gpu = {"slurm_partition": "gpu"}
    assert changes(LARGE, *jobs) == [{"set-resources": {"train": gpu, "errors": gpu}}]
    assert changes(LARGE, asks(partition="gpu")) == []


@pytest.mark.parametrize("name", ["nowhere", "old"])
def test_partition_that_is_not_there_or_closed(name):
    wanted = {"set-resources": {"dataset": {"slurm_partition": "cpu"}}}
    assert changes(LARGE, asks("dataset", gpus=0, runtime=60, partition=name)) == [wanted]


def test_no_gpus():
    no_gpu = {"set-resources": {"train": {"gpu": 0}}}
    assert changes(PLAIN, asks(partition="week")) == [no_gpu]
    no_gres = {"set-resources": {"train": {"gres": None}}}
    assert changes(PLAIN, asks(partition="week", by_gres=True)) == [no_gres]
    assert changes(PLAIN, asks(partition="week", gpus=0)) == []


def test_gpus_by_gres():
    wanted = {"set-resources": {"train": {"gpu": 0, "gres": "gpu:1"}}}
    assert changes(SMALL, asks(), SelectType="select/cons_res") == [wanted]
    assert changes(SMALL, asks(by_gres=True), SelectType="select/cons_res") == []
    cray = {"SelectType": "select/cray_aries", "SelectTypeParameters": "OTHER_CONS_TRES"}
    assert changes(SMALL, asks(), **cray) == []


def test_runtime_above_the_limit():
    job = asks("dataset", gpus=0, runtime=1441)
    assert changes(LARGE, job) == [{"set-resources": {"dataset": {"runtime": 1440}}}]
    (one,) = [a for a in advise(offers(LARGE), [job], {}) if a.change]
    assert "(gpu would give more)" in one.reason
    assert changes(LARGE, job._replace(runtime=1440)) == []


def test_memory_above_the_nodes():
    cluster = Said(partition("main", Default="YES"), SMALL.nodes, SMALL.settings)
    wanted = {"set-resources": {"train": {"mem_mb": 256000}}}
    assert changes(cluster, asks(memory=256001)) == [wanted]
    assert changes(cluster, asks(memory=256000)) == []


def test_more_threads_than_cpus():
    assert changes(SMALL, asks("cost", threads=16)) == [{"set-threads": {"cost": 8}}]
    assert changes(SMALL, asks("cost", threads=8)) == []


def test_partition_whose_jobs_are_cancelled():
    job = asks("dataset", gpus=0, runtime=60, account="lab", partition="spare")
    assert "partition spare are cancelled" in notes(LARGE, job)
    assert notes(LARGE, job._replace(partition="cpu")) == ""
    assert notes(LARGE, job, PreemptType="preempt/none") == ""


def test_no_partition_open():
    cluster = SMALL._replace(partitions=SMALL.partitions.replace("State=UP", "State=DOWN"))
    assert "no partition is open" in notes(cluster, asks())


def test_what_depends_on_data_that_are_not_there():
    unknown = asks("predict", memory=0, runtime=0, known=False)
    assert changes(SMALL, asks(), unknown) == []
    assert "what predict ask for is computed from data" in notes(SMALL, asks(), unknown)
    assert notes(SMALL, asks()) == ""
