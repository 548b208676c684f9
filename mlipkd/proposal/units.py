"""Guessing units and signs that a file does not state, from what physics leaves possible.

Lengths: neighbouring atoms are about the sum of their covalent radii apart. Energies: those of all
electrons are nearly the sum of the isolated atoms'. Failing that, forces that restore atoms that
moved as most bonds and crystals do confirm eV; others prove no unit, since matter may be softer and
stiffer than the units differ. The sign of forces: energies fall along them. Where none of it tells,
as with relative energies without forces, nobody can but the user.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from mlipkd.checks.force_energy_consistency import SIGN_IS_SURE, Consistency, consistency
from mlipkd.checks.positions_and_labels import contacts
from mlipkd.checks.units import LEAST, MOST, length_mistake, ratio_to_isolated_atoms
from mlipkd.datasets.dataset import Dataset
from mlipkd.units import ENERGY, LENGTH

#: Configurations whose contacts are looked at, evenly spread over the dataset.
SAMPLE = 500
#: Stiffness of bonds and crystals as neighbouring configurations show it, eV/Å². Data of six kinds
#: gave 3 to 22: hot aluminium 4, molecules at 1000 K 8, normal modes 10, cold ethanol 22. But argon
#: has 0.4, caesium iodide 0.5, and rattled molecules 46 (acetylene), 74 (water), 170 (CO2).
SOFTEST, STIFFEST = 1.5, 40.0


@dataclass(frozen=True)
class Guess:
    """What one key of the source is to be."""

    key: str
    value: str | int
    reason: str | None
    """What tells; none if nothing does, and the value is the default."""
    suspicion: str | None = None
    """What speaks against the default and proves nothing."""

    @property
    def doubt(self) -> str:
        """Why somebody must say whether the default is right."""
        tells = "nothing in the data tells"
        return f"{tells} for certain: {self.suspicion}" if self.suspicion else tells


def guess_units(dataset: Dataset, keys: Collection[str], sign: int) -> list[Guess]:
    """Guesses of units and of the sign of forces, if there are any.

    Args:
        dataset: as it is read with the defaults: in eV and Å, if units are to be guessed.
        keys: some of length_unit, energy_unit and force_sign; a unit that is not among them is
            known.
        sign: the force_sign that it is read with.
    """
    guesses = []
    if "length_unit" in keys:
        guesses.append(_length(dataset))
        dataset = _lengths_scaled(dataset, LENGTH[str(guesses[0].value)])
    fit = consistency(dataset)
    if "energy_unit" in keys:
        guesses.append(_energy(dataset, fit))
    if "force_sign" in keys and "forces" in dataset.labels["reference"]:
        guesses.append(_sign(fit, sign))
    return guesses


def _length(dataset: Dataset) -> Guess:
    chosen = np.unique(np.linspace(0, len(dataset) - 1, SAMPLE).astype(int))
    neighbours = contacts(dataset.select(chosen))
    spread = neighbours.spread[np.isfinite(neighbours.spread)]  # (configurations,)
    fitting = [
        unit
        for unit, factor in LENGTH.items()
        if len(spread) and length_mistake(replace(neighbours, spread=spread * factor)) is None
    ]
    if not fitting:
        return Guess("length_unit", "Å", None)
    ratio = np.median(spread) * LENGTH[fitting[0]]
    return Guess(
        "length_unit", fitting[0], f"neighbours are {ratio:.2f} times their covalent radii apart"
    )


def _energy(dataset: Dataset, fit: Consistency | None) -> Guess:
    ratio = ratio_to_isolated_atoms(dataset)
    for unit, factor in ENERGY.items():
        if ratio is not None and LEAST < ratio * factor < MOST:
            return Guess(
                "energy_unit", unit, f"energies are {ratio * factor:.3f} times the isolated atoms'"
            )
    if fit is None:
        return Guess("energy_unit", "eV", None)
    stiffness = {unit: abs(fit.stiffness) * factor for unit, factor in ENERGY.items()}  # eV/Å²
    springs = f"forces are those of springs of {stiffness['eV']:.2g} eV/Å²"
    usual = [unit for unit, size in stiffness.items() if SOFTEST < size < STIFFEST]
    if usual == ["eV"]:
        return Guess("energy_unit", "eV", springs)
    others = "".join(
        f", of {stiffness[unit]:.2g} if it is {unit}" for unit in usual if unit != "eV"
    )
    return Guess("energy_unit", "eV", None, f"{springs} if it is eV{others}")


def _sign(fit: Consistency | None, read_with: int) -> Guess:
    if fit is None or abs(fit.correlation) < SIGN_IS_SURE:
        return Guess("force_sign", read_with, None)
    falls = read_with * fit.correlation > 0
    return Guess("force_sign", 1 if falls else -1, f"energies {'fall' if falls else 'rise'} along")


def _lengths_scaled(dataset: Dataset, factor: float) -> Dataset:
    """The dataset as it is if its lengths, also those in forces, are in another unit."""
    labels = dict(dataset.labels["reference"])
    if "forces" in labels:
        labels["forces"] = labels["forces"] / factor
    return replace(
        dataset,
        positions=dataset.positions * factor,
        cells=dataset.cells * factor,
        labels={"reference": labels},
    )
