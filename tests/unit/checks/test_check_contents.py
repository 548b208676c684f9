"""What is said about a dataset."""

from dataclasses import replace

import numpy as np

from mlipkd.checks.check import check, contents
from mlipkd.testing import dataset_of


def test_contents_of_a_sound_dataset(springs) -> None:
    forces = springs.labels["reference"]["forces"].copy()
    forces[4] = np.nan
    energy = springs.labels["reference"]["energy"]
    reference = {"energy": energy, "forces": forces}
    dataset = replace(
        springs,
        labels={"reference": reference},
        splits=np.repeat([0, 1, 2, 3], 10).astype(np.uint8),
        provenance={"masked": ["forces"], "notes": ["a note of the reader"]},
    )
    said = "\n".join(contents(dataset, check(dataset)))
    assert "configurations   40 in 40 groups" in said
    assert "atoms            120, from 3 to 3 in a configuration" in said
    assert "elements         H 80, O 40" in said
    assert "splits           train 10, validation 10, test 10, unused 10" in said
    assert f"reference energy {energy.min() / 3:.6g} to {energy.max() / 3:.6g} eV/atom" in said
    assert "above 0.05 eV/Å in 0 of 39 configurations" in said
    assert "missing for 1 of 120 atoms" in said
    assert "duplicates       0" in said
    assert "a note of the reader" in said


def test_contents_of_single_atoms() -> None:
    atom = (np.array([13]), np.zeros((1, 3)), np.zeros((3, 3)))
    dataset = dataset_of([atom, atom], energy=np.zeros(2))
    said = "\n".join(contents(dataset, check(dataset)))
    assert "duplicates       1" in said
    assert "closest contact" not in said
