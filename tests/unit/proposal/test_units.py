"""Units that a file does not state, told by physics wherever it can tell."""

from dataclasses import replace

import numpy as np
import pytest
from ase.units import Bohr, Hartree, kcal, kJ, mol

from mlipkd.proposal.units import guess_units

KEYS = ("length_unit", "energy_unit", "force_sign")

HARTREES, KCALS, KJS = 1 / Hartree, mol / kcal, mol / kJ


def written(dataset, energy=1.0, length=1.0, sign=1, offset=0.0):
    """The dataset as numbers in other units, which are read as eV and Å."""
    labels = dataset.labels["reference"]
    return replace(
        dataset,
        positions=dataset.positions * length,
        labels={
            "reference": {
                "energy": (labels["energy"] + offset) * energy,
                "forces": labels["forces"] * sign * energy / length,
            }
        },
    )


def told(dataset) -> dict:
    return {guess.key: guess.value for guess in guess_units(dataset, KEYS, 1) if guess.reason}


@pytest.mark.parametrize(
    ("how", "values"),
    [
        ({}, ("Å", "eV", 1)),
        ({"energy": HARTREES}, ("Å", "Ha", 1)),
        ({"energy": HARTREES, "length": 1 / Bohr, "sign": -1}, ("bohr", "Ha", -1)),
        ({"energy": KCALS, "length": 0.1}, ("nm", "kcal/mol", 1)),
        ({"energy": KJS, "sign": -1}, ("Å", "kJ/mol", -1)),
    ],
)
def test_energies_of_all_electrons_tell_their_unit(springs, how, values) -> None:
    keys = ("length_unit", "energy_unit", "force_sign")
    assert told(written(springs, **how)) == dict(zip(keys, values, strict=True))


def relative_energy_unit(springs, energy):
    """The guess for relative energies of water, multiplied; there are 66 eV/Å² between them."""
    offset = -springs.labels["reference"]["energy"].min()
    guesses = guess_units(written(springs, energy=energy, offset=offset), KEYS, 1)
    return next(guess for guess in guesses if guess.key == "energy_unit")


def test_forces_of_usual_springs_confirm_ev(springs) -> None:
    guess = relative_energy_unit(springs, 0.2)
    assert (guess.value, guess.reason) == ("eV", "forces are those of springs of 13 eV/Å²")


@pytest.mark.parametrize(
    ("energy", "suspicion"),
    [
        (1.0, "66 eV/Å² if it is eV, of 2.9 if it is kcal/mol"),  # true eV: water, rattled
        (0.02, "1.3 eV/Å² if it is eV, of 36 if it is Ha"),  # true eV: and soft
        (0.2 * HARTREES, "0.48 eV/Å² if it is eV, of 13 if it is Ha"),
        (200.0, "1.3e+04 eV/Å² if it is eV, of 13 if it is meV"),
    ],
)
def test_unusual_springs_prove_no_unit(springs, energy, suspicion) -> None:
    guess = relative_energy_unit(springs, energy)
    assert (guess.value, guess.reason) == ("eV", None)
    assert guess.suspicion == f"forces are those of springs of {suspicion}"
    assert guess.doubt.endswith(guess.suspicion)


def test_relative_energies_without_forces_tell_nothing(springs) -> None:
    energy = springs.labels["reference"]["energy"]
    bare = replace(springs, labels={"reference": {"energy": energy - energy.min()}})
    length, unit = guess_units(bare, KEYS, 1)
    assert length.reason
    assert (unit.key, unit.value, unit.reason) == ("energy_unit", "eV", None)


def test_forces_of_noise_tell_no_sign(springs) -> None:
    noise = np.random.default_rng(0).normal(size=springs.positions.shape)
    labels = {"reference": {**springs.labels["reference"], "forces": noise}}
    assert "force_sign" not in told(replace(springs, labels=labels))
