"""HDF5 files that point elsewhere, hold objects, or claim more than they hold."""

import h5py
import numpy as np
import pytest

from mlipkd.datasets.file import open_hdf5
from mlipkd.errors import InputError


def soft_link(file, folder):
    file["data"] = np.zeros(3)
    file["group/again"] = h5py.SoftLink("/data")


def dangling_link(file, folder):
    file["nowhere"] = h5py.SoftLink("/nothing")


def external_link(file, folder):
    file["group/other"] = h5py.ExternalLink(str(folder / "secret.h5"), "/data")


def external_storage(file, folder):
    raw = [(str(folder / "secret.bin"), 0, 24)]
    file.create_dataset("data", (3,), float, external=raw)


def virtual(file, folder):
    layout = h5py.VirtualLayout((3,), float)
    layout[:] = h5py.VirtualSource(str(folder / "secret.h5"), "data", (3,))
    file.create_virtual_dataset("data", layout)


def text_of_any_length(file, folder):
    file["data"] = ["one", "three"]


def references(file, folder):
    file.create_dataset("data", (2,), h5py.ref_dtype)


def ragged(file, folder):
    file.create_dataset("data", (2,), h5py.vlen_dtype(np.int64))


def twenty_four_terabytes(file, folder):
    file.create_dataset("data", (10**12, 3), float, chunks=(1024, 3), compression="gzip")


def twenty_four_terabytes_unchunked(file, folder):
    file.create_dataset("data", (10**12, 3), float)


def a_little_of_twenty_four_terabytes(file, folder):
    data = file.create_dataset("data", (10**12, 3), float, chunks=(1024, 3), compression="gzip")
    data[:1024] = np.random.default_rng(0).random((1024, 3))


@pytest.mark.parametrize(
    ("fill", "message"),
    [
        (soft_link, "got a soft link"),
        (dangling_link, "got a soft link"),
        (external_link, "got an external link"),
        (external_storage, "got data kept in another file"),
        (virtual, "got a virtual dataset"),
        (text_of_any_length, "got objects of variable length"),
        (references, "got objects of variable length"),
        (ragged, "got objects of variable length"),
        (twenty_four_terabytes, "declares 24 TB"),
        (twenty_four_terabytes_unchunked, "declares 24 TB"),
        (a_little_of_twenty_four_terabytes, "declares 24 TB"),
    ],
)
def test_it_is_refused(tmp_path, inject, fill, message) -> None:
    inject("hostile: HDF5 with links, objects or 24 TB", "refused")
    path = tmp_path / "hostile.h5"
    with h5py.File(path, "w") as file:
        fill(file, tmp_path)
    with pytest.raises(InputError, match=message) as raised:
        open_hdf5(path)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_ordinary_files_pass(tmp_path) -> None:
    path = tmp_path / "plain.h5"
    with h5py.File(path, "w") as file:
        file["numbers"] = np.arange(5)
        file["scalar"] = 3.0
        file["species"] = np.array([b"H", b"Al"])
        file["again"] = file["numbers"]  # a hard link
        file.create_group("group")["root"] = file["/"]  # and a circle of them
        file.create_dataset("zeros", data=np.zeros((10**6, 3)), chunks=True, compression="gzip")
        file.attrs["note"] = "of any length"
    with open_hdf5(path) as file:
        assert file["numbers"][()].tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("content", [b"", b"no HDF5 at all", b"\x89HDF\r\n\x1a\n" + bytes(100)])
def test_what_is_no_hdf5_is_refused(tmp_path, content) -> None:
    path = tmp_path / "other.h5"
    path.write_bytes(content)
    with pytest.raises(InputError, match="cut short or damaged"):
        open_hdf5(path)
