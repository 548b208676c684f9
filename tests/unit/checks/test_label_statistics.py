"""Outliers: what stands apart is named, and hot data are not."""

import re
from dataclasses import replace

import numpy as np
import pytest

from mlipkd.checks.check import check
from mlipkd.checks.label_statistics import outliers


def changed(dataset, **labels):
    return replace(dataset, labels={"reference": {**dataset.labels["reference"], **labels}})


def test_ordinary_data_have_none(springs) -> None:
    assert outliers(springs) == []
    assert not any("more than" in remark for remark in check(springs).remarks)


def test_an_energy_that_did_not_converge_is_named(springs) -> None:
    energy = springs.labels["reference"]["energy"].copy()
    energy[7] += 30
    (line,) = outliers(changed(springs, energy=energy))
    assert line.startswith("1 configuration has an energy more than 5 times")
    assert float(re.search(r"up to ([\d.]+) eV/atom", line)[1]) == pytest.approx(10, abs=0.1)
    assert "test: configuration 7;" in line


def test_a_force_that_is_too_large_is_named_and_missing_ones_are_not(springs) -> None:
    forces = springs.labels["reference"]["forces"].copy()
    forces[0] = np.nan
    assert outliers(changed(springs, forces=forces)) == []
    forces[3 * 9 + 1] = [0, 0, 500]
    (line,) = outliers(changed(springs, forces=forces))
    assert "a force" in line and "up to 500 eV/Å in test: configuration 9;" in line
