"""The size of a dataset, where it can be counted by hand."""

import json

import numpy as np
import pytest
from ase.build import bulk

from mlipkd.datasets.size import Size, measure
from mlipkd.jobs.artefacts import verify
from mlipkd.testing import dataset_of

FCC = bulk("Al", a=3.9, cubic=True)


@pytest.fixture
def crystals(tmp_path):
    """The size of an fcc crystal, once as four atoms and once as one."""
    one = bulk("Al", a=3.9)
    dataset = dataset_of(
        [(atoms.numbers, atoms.positions, atoms.cell.array) for atoms in (FCC, one)],
        energy=np.zeros(2),
    )
    (tmp_path / "dataset.h5").write_bytes(bytes(123))
    return measure(dataset, tmp_path / "dataset.h5")


def test_of_a_crystal(crystals):
    assert (crystals.configurations, crystals.atoms, crystals.largest) == (2, 5, 4)
    assert (crystals.elements, crystals.periodic, crystals.bytes) == (1, True, 123)
    # Shells of fcc at a/√2, a, a√1.5, a√2: 12, 6, 24 and 12 atoms at 2.8, 3.9, 4.8 and 5.5 Å.
    assert crystals.neighbours[1:6] == (0, 12, 18, 42, 54)


def test_of_free_molecules(tmp_path):
    molecule = (np.array([8, 1, 1]), np.array([[0, 0, 0], [0.9, 0, 0], [0, 2.5, 0]]))
    (tmp_path / "dataset.h5").write_bytes(b"")
    size = measure(
        dataset_of([(*molecule, np.zeros((3, 3)))], energy=np.zeros(1)), tmp_path / "dataset.h5"
    )
    assert (size.elements, size.periodic) == (2, False)
    assert size.neighbours[:3] == pytest.approx((2 / 3, 2 / 3, 2), abs=1e-3)
    assert size.within(30) > 2  # where it was not counted, more rather than less
    assert size.packed(5) == pytest.approx(0.1 * 4 / 3 * np.pi * 125)


def test_within_a_density():
    """Where the density is the same everywhere, cut-offs between and beyond are exact."""

    def filled(radius: float) -> float:
        return 0.06 * 4 / 3 * np.pi * radius**3

    neighbours = tuple(filled(radius) for radius in range(1, 13))
    size = Size(1, 1, 1, 1, True, neighbours, 1)
    for cutoff in (0.5, 3.0, 5.5, 12.0, 15.0):
        assert size.within(cutoff) == pytest.approx(filled(cutoff))
        assert size.packed(cutoff) == size.within(cutoff)


def test_read_is_what_was_written(crystals, tmp_path):
    with pytest.raises(FileNotFoundError) as missing:
        Size.read("results/size.json")
    assert missing.value.filename == "results/size.json"  # by which Snakemake knows its input
    crystals.write(tmp_path / "size.json")
    verify(tmp_path / "size.json")
    assert Size.read(tmp_path / "size.json") == crystals
    content = json.loads((tmp_path / "size.json").read_text())
    assert content["atoms"] == 5
    (tmp_path / "old.json").write_text(json.dumps(content | {"mass": 26.98}))
    assert Size.read(tmp_path / "old.json") == crystals
