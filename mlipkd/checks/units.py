"""Units: whether lengths and total energies are of the size that their unit says.

Neighbouring atoms are about the sum of their covalent radii apart, and the energies of all
electrons are nearly the sum of the isolated atoms'.
"""

import numpy as np

from mlipkd.checks.positions_and_labels import Contacts
from mlipkd.datasets.dataset import Dataset
from mlipkd.units import BOHR, HARTREE, KCAL_MOL, KJ_MOL, NANOMETRE

#: What lengths are multiplied by when they are read in the wrong unit.
LENGTH_MISTAKES = {
    "in bohr, but read as Å": 1 / BOHR,
    "in nm, but read as Å": 1 / NANOMETRE,
    "in Å, but read as bohr": BOHR,
    "in Å, but read as nm": NANOMETRE,
}
#: Distances of neighbours over the sum of their covalent radii, in ordinary matter.
USUAL_SPREAD = 1.0

#: Energies of isolated atoms from hydrogen to neon, Ha, not relativistic, with all electrons
#: (Chakravorty et al., Phys. Rev. A 47, 3649 (1993)).
ISOLATED_ATOMS = [-0.5, -2.9037, -7.4781, -14.6674, -24.6539, -37.8450, -54.5892, -75.0673,
                  -99.7339, -128.9376]  # fmt: skip
#: What energies are multiplied by when they are read in the wrong unit.
ENERGY_MISTAKES = {
    "in Ha, but read as eV": 1 / HARTREE,
    "in eV, but read as Ha": HARTREE,
    "in kcal/mol, but read as eV": 1 / KCAL_MOL,
    "in kcal/mol, but read as Ha": HARTREE / KCAL_MOL,
    "in kJ/mol, but read as eV": 1 / KJ_MOL,
    "in kJ/mol, but read as Ha": HARTREE / KJ_MOL,
    "in Ha, but read as kcal/mol": KCAL_MOL / HARTREE,
    "in eV, but read as kcal/mol": KCAL_MOL,
}
#: Total energies over those of their atoms: binding adds up to a few per cent.
LEAST, MOST = 0.985, 1.04


def length_mistake(contacts: Contacts) -> str | None:
    """The mistake in the unit of length, or none.

    Bonds are broken and atoms pressed together in many a dataset, but not in all of it: it is the
    tightest tenth that must not be too wide, and the widest tenth that must not be too tight.
    """
    spread = contacts.spread[np.isfinite(contacts.spread)]  # (configurations,)
    if len(spread) == 0:
        return None
    tight, wide = np.quantile(spread, [0.1, 0.9])
    for mistake, factor in LENGTH_MISTAKES.items():
        observed = tight if factor > 1 else wide
        if abs(np.log(observed / USUAL_SPREAD / factor)) < 0.5 * abs(np.log(factor)):
            return (
                f"expected positions in Å, got neighbouring atoms at {np.median(spread):.3g} times "
                f"their covalent radii: they look as if {mistake}; state the unit they are in, or "
                "convert them"
            )
    return None


def energy_mistake(dataset: Dataset) -> str | None:
    """The mistake in the unit of energy, or none; total energies of light elements show it."""
    ratio = ratio_to_isolated_atoms(dataset)
    for mistake, factor in ENERGY_MISTAKES.items():
        if ratio is not None and LEAST < ratio / factor < MOST:
            return (
                f"expected energies in eV, got {ratio:.4g} times those of the isolated atoms: they "
                f"look as if {mistake}; state the unit they are in, or convert them"
            )
    return None


def ratio_to_isolated_atoms(dataset: Dataset) -> float | None:
    """Energies over those of the isolated atoms with all electrons, as a median.

    None without energies, or where there are elements heavier than neon, or beads.
    """
    energy = dataset.labels["reference"].get("energy")
    if energy is None or dataset.beads or dataset.species.max() > len(ISOLATED_ATOMS):
        return None
    atoms = HARTREE * np.array(ISOLATED_ATOMS)[dataset.species.astype(int) - 1]  # (atoms,)
    return float(np.median(energy / np.add.reduceat(atoms, dataset.offsets[:-1])))
