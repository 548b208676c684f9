"""Systems to measure costs on, copies of one configuration as dense as it is; and what control
groups leave of memory."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist

from mlipkd.datasets.dataset import TEST, TRAIN
from mlipkd.datasets.file import DatasetFile, write
from mlipkd.errors import InputError
from mlipkd.evaluation.cost.measurement import (
    available_memory,
    example_of,
    left_by_groups,
    system_of,
)
from mlipkd.jobs import provenance
from mlipkd.testing import dataset_of, random_crystal, random_molecule


def test_a_crystal_is_repeated_evenly() -> None:
    numbers, positions, _ = random_crystal(np.random.default_rng(0), 4)
    cell = np.diag([4.0, 5.0, 16.0])
    system = system_of(dataset_of([(numbers, positions, cell)]), 60)
    assert len(system) == 64  # 4 x 4 x 1
    assert system.cell.lengths().tolist() == [16, 20, 16]
    assert system.pbc.all()
    assert len(system) / system.get_volume() == pytest.approx(4 / np.linalg.det(cell))


def test_a_molecule_becomes_a_lattice_of_copies() -> None:
    numbers, positions, cell = random_molecule(np.random.default_rng(0), 9)
    system = system_of(dataset_of([(numbers, positions, cell)]), 80)
    assert len(system) % 9 == 0
    assert 80 <= len(system) <= 8 * 80
    assert not system.pbc.any()
    assert not system.cell.array.any()
    copies = system.positions.reshape(-1, 9, 3)
    for copy in copies:
        np.testing.assert_allclose(pdist(copy), pdist(positions), atol=1e-9)
    between = np.linalg.norm(copies[:, None, :, None] - copies[None, :, None], axis=-1)
    apart = between[~np.eye(len(copies), dtype=bool)]
    assert apart.min() >= 2.0 - 1e-9


MOLECULE = random_molecule(np.random.default_rng(0), 5)
ISOLATED = (np.array([1]), np.zeros((1, 3)), np.zeros((3, 3)))


@pytest.fixture
def example(tmp_path):
    """A function that finds the example of configurations that are written to a file."""

    def find(configurations, splits):
        dataset = dataset_of(configurations, energy=np.zeros(len(configurations)))
        splits = np.array(splits, dataset.splits.dtype)
        write(
            replace(dataset, splits=splits, provenance=provenance.record()), tmp_path / "dataset.h5"
        )
        with DatasetFile(tmp_path / "dataset.h5") as file:
            return example_of(file)

    return find


def test_atoms_alone_are_passed_over(example) -> None:
    crystal = random_crystal(np.random.default_rng(0), 4)
    found = example([crystal, ISOLATED, ISOLATED, MOLECULE], [TRAIN, TEST, TEST, TEST])
    assert found.species.tolist() == MOLECULE[0].tolist()


def test_where_all_are_atoms_alone_one_is_taken(example) -> None:
    """The smallest cell of a metal has one atom."""
    assert example([MOLECULE, ISOLATED], [TRAIN, TEST]).species.tolist() == [1]


def test_without_a_test_split_there_is_no_example(example) -> None:
    with pytest.raises(InputError, match="expected a configuration in the test split"):
        example([MOLECULE], [TRAIN])


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
    assert 1e8 < available_memory(torch.device("cpu")) < 1e14
