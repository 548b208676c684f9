"""Writing HDF5: whole files, copies that go on, and full disks."""

import subprocess
import sys

import h5py
import numpy as np
import pytest

from mlipkd.datasets.hdf5 import writing_hdf5
from mlipkd.jobs import artefacts


def test_a_file_and_a_copy_that_goes_on(tmp_path) -> None:
    first, second = tmp_path / "first.h5", tmp_path / "second.h5"
    with writing_hdf5(first) as file:
        file["a"] = np.arange(5)
    with writing_hdf5(second, copy_of=first) as file:
        file["b"] = np.arange(3)
    for path, names in ((first, ["a"]), (second, ["a", "b"])):
        artefacts.verify(path)
        with h5py.File(path) as file:
            assert list(file) == names
            assert file["a"][()].tolist() == [0, 1, 2, 3, 4]


FULL_DISK = """
import resource, sys
from pathlib import Path
import numpy as np
from mlipkd.datasets.hdf5 import writing_hdf5
from mlipkd.errors import InputError

resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
try:
    with writing_hdf5(Path(sys.argv[2])) as file:
        for name in "ab":
            data = file.create_dataset(name, (9000, 3), "f8", chunks=(4096, 3), fletcher32=True)
            data[...] = np.ones((9000, 3))
except InputError as error:
    sys.exit(str(error))
"""


@pytest.mark.parametrize("size", [50, 5_000, 50_000, 250_000])
def test_a_full_disk_is_one_line(tmp_path, size) -> None:
    path = tmp_path / "folder" / "full.h5"
    words = [sys.executable, "-c", FULL_DISK, str(size), str(path)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{path}: could not be written (File too large)")
    assert done.stderr.count("\n") == 1
    assert not list(path.parent.iterdir())
