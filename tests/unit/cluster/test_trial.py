import os
import platform

import torch

from mlipkd import __version__
from mlipkd.cluster.trial import describe_host, sees_gpus
from mlipkd.jobs import provenance


def test_description_of_the_host(monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "42")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    lines = dict(line.split(": ", 1) for line in describe_host().splitlines())
    assert (lines["SLURM job"], lines["GPUs given"]) == ("42", "3")
    assert (lines["host"], lines["folder"]) == (platform.node(), os.getcwd())
    assert lines["mlipkd"] == f"{__version__}, commit {provenance.commit()}"


def test_gpus_that_are_seen(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda number: f"H{number}")
    assert "GPUs that PyTorch sees: H0, H1\n" in describe_host()
    assert sees_gpus(describe_host())
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert not sees_gpus(describe_host())
