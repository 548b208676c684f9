"""A full disk: one line names it, exit status 2, and existing files are still valid."""

import os
import shutil
import subprocess
from functools import partial

import pytest

from mlipkd.jobs import artefacts
from tests.faults.children import limit_files, verb

KINDS = {"predict": "predictions", "merge": "augmented dataset", "evaluate errors": "table"}


def named(ended, folder) -> bool:
    """Whether a verb ended with one line that says which disk is full."""
    lines = [line for line in ended.error.splitlines() if line.startswith("error: ")]
    return (
        ended.status == 2
        and len(lines) == 1
        and "Traceback" not in ended.error
        and ("could not be written" in lines[0] or "could not be locked" in lines[0])
        and f"free space on the disk that holds {folder}" in lines[0]
    )


@pytest.mark.parametrize("part", [0.3, 0.6, 0.99])
@pytest.mark.parametrize("name", KINDS)
def test_the_older_file_stays(verbs, inject, name, part) -> None:
    assert verb(*verbs.words(name, "out")).status == 0
    output = verbs.output(name, "out")
    before = {path.name: path.read_bytes() for path in output.parent.iterdir()}
    size = int(part * output.stat().st_size)
    inject(f"disk full: {KINDS[name]}", "refused")
    ended = verb(*verbs.words(name, "out"), sabotage=partial(limit_files, size))
    assert named(ended, output.parent), ended.error
    artefacts.verify(output)
    after = {path.name: path.read_bytes() for path in output.parent.iterdir()}
    assert after.keys() == before.keys()
    assert after[output.name] == before[output.name]


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a separate disk of 16 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=16k", "mlipkd-test", str(folder)]
    if os.geteuid() or not shutil.which("mount") or subprocess.run(words).returncode:
        pytest.skip("only root may mount a small disk, and not everywhere")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("name", KINDS)
def test_on_a_small_disk(verbs, small_disk, inject, name) -> None:
    (small_disk / "ballast").write_bytes(bytes(12_288))
    inject(f"disk full: {KINDS[name]}", "refused")
    ended = verb(*verbs.words(name, "disk"))
    assert named(ended, small_disk), ended.error
    assert "No space left" in ended.error
    assert [path.name for path in small_disk.iterdir()] == ["ballast"]


@pytest.mark.parametrize("size", [100, 300, 2000, 4000])
def test_training_starts_or_goes_on_when_there_is_space(training_of, inject, size) -> None:
    """History or checkpoint find no space; with space training resumes to the same bits."""
    training = training_of(epochs=3)
    assert training.run("whole").status == 0
    inject("disk full: training", "refused")
    ended = training.run("full", partial(limit_files, size))
    assert named(ended, training.folder("full")), ended.error
    assert not training.model("full").exists()
    inject("disk full: training, and then space", "recovered")
    assert training.run("full").status == 0
    assert training.same("whole", "full")
