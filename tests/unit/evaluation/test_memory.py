"""Memory: what control groups leave of it."""

import pytest
import torch

from mlipkd.evaluation.memory import available, left_by_groups

GB = 10**9


def write_group(folder, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(content)


@pytest.mark.parametrize("name", ["0::/job/step\n", "0::/job/step\n1:name=systemd:/\n"])
def test_limits_of_all_groups_above_count(tmp_path, name) -> None:
    (tmp_path / "own").write_text(name)
    root = tmp_path / "cgroup"
    stat = "anon 5\ninactive_file 1000000000\n"
    write_group(root / "job/step", memory__max="max\n", memory__current="9\n", memory__stat=stat)
    write_group(
        root / "job",
        memory__max=f"{8 * GB}\n",
        memory__current=f"{3 * GB}\n",
        memory__stat=stat,
    )
    assert left_by_groups(tmp_path / "own", root) == [6 * GB]


def test_version_1_whose_name_is_not_seen(tmp_path) -> None:
    (tmp_path / "own").write_text("4:memory:/a/b\n3:cpu,cpuacct:/\n0::/\n")
    write_group(
        tmp_path / "cgroup/memory",
        memory__limit_in_bytes=f"{4 * GB}\n",
        memory__usage_in_bytes=f"{GB}\n",
        memory__stat="inactive_file 5\ntotal_inactive_file 0\n",
    )
    assert left_by_groups(tmp_path / "own", tmp_path / "cgroup") == [3 * GB]


def test_no_groups(tmp_path) -> None:
    (tmp_path / "own").write_text("0::/\n")
    assert left_by_groups(tmp_path / "own", tmp_path) == []


def test_this_machine_has_some() -> None:
    assert 1e8 < available(torch.device("cpu")) < 1e14
