"""Liquids: as many molecules, as dense and as far apart as wanted, by both ways of packing."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
from ase.collections import g2
from scipy.spatial.distance import pdist

from mlipkd.dynamics import packing as module
from mlipkd.dynamics.packing import OVERLAP, closest_molecules, liquid
from mlipkd.errors import InputError

AVOGADRO = 6.02214076e23


@pytest.fixture(params=["packmol", "lattice"])
def packing(request, monkeypatch) -> str:
    if request.param == "lattice":
        monkeypatch.setattr(module.shutil, "which", lambda program: None)
    elif shutil.which("packmol") is None:
        pytest.skip("packmol is not installed")
    return request.param


@pytest.mark.parametrize("number", [1, 5, 16])
def test_number_density_and_shape(number, packing) -> None:
    box = liquid("CH3ONO", number, 0.99, seed=0)
    assert packing in box.info["packed"]
    np.testing.assert_array_equal(box.numbers, list(g2["CH3ONO"].numbers) * number)
    grams = number * 61.04 / AVOGADRO  # C 12.011, 3 H 1.008, N 14.007, 2 O 15.999
    assert grams / (box.get_volume() * 1e-24) == pytest.approx(0.99, rel=1e-4)
    assert box.pbc.all()
    assert np.ptp(box.cell.lengths()) == 0
    for molecule in box.positions.reshape(number, -1, 3):
        np.testing.assert_allclose(pdist(molecule), pdist(g2["CH3ONO"].positions), atol=1e-4)


def test_a_box_is_made_where_subnormal_numbers_are_flushed() -> None:
    """In a process of its own, which a tree without end would kill."""
    code = """
import shutil, torch
shutil.which = lambda program: None
torch.set_flush_denormal(True)
from mlipkd.dynamics.packing import liquid
print(len(liquid("C2H6", 4, 0.6, seed=0)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "32\n", done.stderr[:500]


def test_atoms_of_different_molecules_are_apart(packing) -> None:
    box = liquid("CH3ONO", 16, 0.99, seed=1)
    distances = box.get_all_distances(mic=True).reshape(16, 7, 16, 7)
    between = distances.transpose(0, 2, 1, 3)[~np.eye(16, dtype=bool)]
    assert between.min() > 2.4
    box.positions[:7] += box.positions[7] - box.positions[0] + [0.8, 0, 0]
    assert closest_molecules(box, 7) <= 0.8 + 1e-9


def test_an_image_of_the_same_molecule_counts() -> None:
    box = g2["H2O"]
    box.cell, box.pbc = [2.2, 8.0, 8.0], True  # the molecule lies in the plane x = 0
    assert closest_molecules(box, 3) == pytest.approx(2.2)
    box.cell = [2.6, 8.0, 8.0]
    assert closest_molecules(box, 3) == np.inf


def test_a_seed_decides(packing) -> None:
    first, again, other = (liquid("CH3ONO", 4, 0.99, seed).positions for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


def test_sites_that_are_left_are_as_far_apart(monkeypatch) -> None:
    """Numbers that fill no cubic lattice."""
    monkeypatch.setattr(module.shutil, "which", lambda program: None)
    for number in (3, 29):
        assert closest_molecules(liquid("CH3ONO", number, 0.99, seed=0), 7) > 2.3


def test_too_dense_is_refused(packing) -> None:
    with pytest.raises(InputError, match="lower the density"):
        liquid("CH3ONO", 8, 4.0, seed=0)


def test_overlaps_are_refused(monkeypatch) -> None:
    monkeypatch.setattr(module, "closest_molecules", lambda box, size: OVERLAP - 0.01)
    with pytest.raises(InputError, match=r"4 CH3ONO at 0.9 g/cm³ .* 1.5 Å apart, got 1.49 Å"):
        liquid("CH3ONO", 4, 0.9, seed=0)


def test_unknown_molecules_are_refused() -> None:
    with pytest.raises(InputError, match=r"G2 collection, got 'CH3ONO2'; choose from .*CH3ONO"):
        liquid("CH3ONO2", 2, 1.0, seed=0)
