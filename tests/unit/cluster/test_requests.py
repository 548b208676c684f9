import pytest

from mlipkd.cluster.requests import Request, parse_requests, read_profile
from mlipkd.errors import InputError

#: What Snakemake 9.27 says, jobs of a group being further in.
PLAN = """\
rule train:
    input: results/a/settings.yaml
    output: results/a/model.safetensors
    jobid: 7
    wildcards: dataset=a
    threads: 7
    resources: tmpdir=/tmp, mem_mb=24000, mem=24 GB, disk_mb=<TBD>, slurm_account=lab, \
runtime=2160, gpu=0, gres=gpu:a100:2, slurm_partition=big
[Sat Nov 21 22:51:30 2026]

Group job molecules+teachers (jobs in lexicogr. order):
    rule merge:
        jobid: 8
        resources: tmpdir=/tmp, mem_mb=<TBD>, runtime=30

rule train:
    jobid: 9
    threads: 7
    resources: mem_mb=24000, slurm_account=lab, runtime=2160, gres=gpu:a100:2, slurm_partition=big

rule errors:
    jobid: 10
    resources: mem_mb=8000, runtime=60, gpu=1
"""


def test_parse():
    assert parse_requests(PLAN) == [
        Request("train", 7, 2, 24000, 2160, "lab", "big", by_gres=True),
        Request("merge", 1, 0, 0, 30, "", "", by_gres=False, known=False),
        Request("errors", 1, 1, 8000, 60, "", "", by_gres=False),
    ]


@pytest.mark.parametrize(("gres", "gpus"), [("gpu", 1), ("gpu:3", 3), ("gpu:a100:2", 2)])
def test_gres(gres, gpus):
    (request,) = parse_requests(f"rule a:\n    jobid: 1\n    resources: gpu=0, gres={gres}\n")
    assert (request.gpus, request.by_gres) == (gpus, True)


def test_another_gres():
    (request,) = parse_requests("rule a:\n    jobid: 1\n    resources: gpu=1, gres=shard:8\n")
    assert (request.gpus, request.by_gres) == (1, False)


def test_profile(tmp_path):
    with pytest.raises(InputError, match=r"config.yaml: expected a Snakemake profile .*--profile"):
        read_profile(tmp_path)
    (tmp_path / "config.yaml").write_text("- jobs")
    with pytest.raises(InputError, match="expected settings, got list"):
        read_profile(tmp_path)
    (tmp_path / "config.yaml").write_text("jobs: 1")
    assert read_profile(tmp_path) == {"jobs": 1}
