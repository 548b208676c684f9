"""Constant labels: energies or forces that do not depend on the positions, as zeros do not.

Outliers: configurations that stand far apart, which a root mean square is made of.

A value is far if it is more than ``FAR`` times what 95 % of them do not exceed. That may be right,
of atoms pressed together on purpose; or a calculation that did not converge.
"""

import numpy as np

from mlipkd.datasets.dataset import Dataset, chosen_rows, composition

#: Configurations from which on the same label in all of them is no chance.
FEWEST = 3
#: What rounding leaves of energies that are sums over elements, relative to the largest.
ROUNDING = 1e-12


def constant_labels(dataset: Dataset) -> list[str]:
    """A line on energies and one on forces, for each that is the same in all configurations.

    Energies are compared after a fit of the elements' energies. Atoms alone and copies of one
    configuration do not count, of which labels are the same; nor do forces beside Hessians, which
    may be those of stationary points alone.
    """
    chosen = _different(dataset)
    reference = dataset.labels["reference"]
    found = []
    if "energy" in reference and _energies_constant(dataset, chosen):
        found.append("energies")
    if "forces" in reference and "hessian" not in reference and _forces_constant(dataset, chosen):
        found.append("forces")
    return [
        f"expected {what} that depend on the positions, got the same for all of {len(chosen)} "
        "configurations; see whether they were computed, and are under this name"
        for what in found
    ]


def _different(dataset: Dataset) -> np.ndarray:
    """One of each group of exact copies, without atoms alone."""
    seen = {}
    for m, (start, stop) in enumerate(zip(dataset.offsets[:-1], dataset.offsets[1:], strict=True)):
        if stop - start > 1:
            arrays = dataset.species[start:stop], dataset.positions[start:stop], dataset.cells[m]
            seen[tuple(array.tobytes() for array in arrays)] = m
    return np.array(sorted(seen.values()), int)


def _energies_constant(dataset: Dataset, chosen: np.ndarray) -> bool:
    energy = dataset.labels["reference"]["energy"]
    chosen = chosen[np.isfinite(energy[chosen])]
    counts = composition(dataset, np.unique(dataset.species))[chosen]  # (chosen, elements)
    energy = energy[chosen]
    if len(chosen) < FEWEST:
        return False
    fitted, _, rank, _ = np.linalg.lstsq(counts, energy)
    left = np.abs(energy - counts @ fitted).max()
    return bool(len(chosen) > rank + 1 and left <= ROUNDING * np.abs(energy).max())


def _forces_constant(dataset: Dataset, chosen: np.ndarray) -> bool:
    forces = dataset.labels["reference"]["forces"]
    rows = [forces[chosen_rows(dataset.offsets, np.array([m]))] for m in chosen]
    known = [own for own in rows if np.isfinite(own).all()]
    if len(known) < FEWEST:
        return False
    return not any(own.any() for own in known) or all(
        np.array_equal(own, known[0]) for own in known
    )


FAR, USUAL = 5.0, 0.95


def outliers(dataset: Dataset) -> list[str]:
    """A line on energies and one on forces, for each where there are outliers.

    Energies count per atom and after a fit of the elements' energies; atoms alone do not count.
    """
    labels = dataset.labels["reference"]
    found = []
    if "energy" in labels:
        found.append(_line(dataset, "an energy", _energies(dataset), "eV/atom from the usual"))
    if "forces" in labels:
        norms = np.nan_to_num(np.linalg.norm(labels["forces"], axis=1))  # (atoms,)
        largest = np.maximum.reduceat(norms, dataset.offsets[:-1])  # (configurations,)
        found.append(_line(dataset, "a force", largest, "eV/Å"))
    return [line for line in found if line]


def _energies(dataset: Dataset) -> np.ndarray:
    """How far each configuration's energy per atom is from the usual, eV: (configurations,)."""
    counts = composition(dataset, np.unique(dataset.species))  # (configurations, elements)
    energy = dataset.labels["reference"]["energy"]
    counted = np.isfinite(energy) & (dataset.sizes > 1)  # (configurations,)
    left = np.zeros(len(dataset))
    if counted.any():
        fitted, *_ = np.linalg.lstsq(counts[counted], energy[counted])
        left[counted] = (energy - counts @ fitted)[counted] / dataset.sizes[counted]
        left[counted] -= np.median(left[counted])
    return np.abs(left)


def _line(dataset: Dataset, what: str, values: np.ndarray, unit: str) -> str | None:
    usual = np.quantile(values, USUAL)
    number = int((values > FAR * usual).sum())
    if not number or not usual:
        return None
    m = int(values.argmax())
    have = "configuration has" if number == 1 else "configurations have"
    return (
        f"{number} {have} {what} more than {FAR:g} times what {USUAL:.0%} stay below "
        f"({usual:.3g}), up to {values[m]:.4g} {unit} in {dataset.place(m)}; errors would be "
        "theirs alone, leave them out unless they are meant"
    )
