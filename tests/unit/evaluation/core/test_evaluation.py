"""Declarations: the files that a job is given."""

from pathlib import Path

import pytest

from mlipkd.errors import InputError
from mlipkd.evaluation.core.evaluation import Job


def test_one_file_where_one_is_read() -> None:
    job = Job({"models": [Path("0.safetensors")]}, Path("liquid.csv"))
    assert job.file("models") == Path("0.safetensors")


def test_several_files_where_one_is_read() -> None:
    job = Job({"models": [Path("0.safetensors"), Path("1.safetensors")]}, Path("liquid.csv"))
    with pytest.raises(InputError, match="expected one file as models, got 2"):
        job.file("models")
