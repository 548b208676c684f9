"""Statistics of labels: those that are the same everywhere, and those that are far from all others.

Energies or forces that do not depend on the positions, as zeros do not, were not computed, or stand
under another name.

A value is an outlier if it is more than ``FAR`` times what 95 % of them do not exceed; a root mean
square is made of these. They may be right, of atoms pressed together on purpose; or come from a
calculation that did not converge.
"""

import numpy as np

from mlipkd.datasets.dataset import Dataset, chosen_rows, composition, element_energies

#: Configurations from which on the same label in all of them is no chance.
FEWEST = 3
#: What rounding leaves of energies that are sums over elements, relative to the largest.
ROUNDING = 1e-12
#: How many times what the usual share of values does not exceed.
FAR, USUAL = 5.0, 0.95


def constant_labels(dataset: Dataset) -> list[str]:
    """A line on energies and one on forces, for each that is the same in all configurations.

    Energies are compared after a fit of the elements' energies. Single atoms and copies of one
    configuration do not count, whose labels are the same; nor do forces next to Hessians, as all
    configurations may be stationary points.
    """
    chosen = _different(dataset)
    reference = dataset.labels["reference"]
    constant = []
    if "energy" in reference and _energies_constant(dataset, chosen):
        constant.append("energies")
    if "forces" in reference and "hessian" not in reference and _forces_constant(dataset, chosen):
        constant.append("forces")
    return [
        f"expected {what} that depend on the positions, got the same for all of {len(chosen)} "
        "configurations; see whether they were computed, and are under this name"
        for what in constant
    ]


def _different(dataset: Dataset) -> np.ndarray:
    """One of each group of exact copies, without single atoms: (chosen,)."""
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
    fitted, rank = element_energies(counts, energy)
    residual = np.abs(energy - counts @ fitted).max()
    return bool(len(chosen) > rank + 1 and residual <= ROUNDING * np.abs(energy).max())


def _forces_constant(dataset: Dataset, chosen: np.ndarray) -> bool:
    forces = dataset.labels["reference"]["forces"]
    rows = [forces[chosen_rows(dataset.offsets, np.array([m]))] for m in chosen]
    known = [row for row in rows if np.isfinite(row).all()]
    if len(known) < FEWEST:
        return False
    zero = not any(row.any() for row in known)
    return zero or all(np.array_equal(row, known[0]) for row in known)


def outliers(dataset: Dataset) -> list[str]:
    """A line on energies and one on forces, for each where there are outliers.

    Energies count per atom and after a fit of the elements' energies; single atoms do not count.
    """
    labels = dataset.labels["reference"]
    lines = []
    if "energy" in labels:
        lines.append(_line(dataset, "an energy", _energies(dataset), "eV/atom from the usual"))
    if "forces" in labels:
        norms = np.nan_to_num(np.linalg.norm(labels["forces"], axis=1))  # (atoms,)
        largest = np.maximum.reduceat(norms, dataset.offsets[:-1])  # (configurations,)
        lines.append(_line(dataset, "a force", largest, "eV/Å"))
    return [line for line in lines if line]


def _energies(dataset: Dataset) -> np.ndarray:
    """How far each configuration's energy per atom is from the usual, eV: (configurations,)."""
    counts = composition(dataset, np.unique(dataset.species))  # (configurations, elements)
    energy = dataset.labels["reference"]["energy"]
    counted = np.isfinite(energy) & (dataset.sizes > 1)  # (configurations,)
    residuals = np.zeros(len(dataset))
    if counted.any():
        fitted, _ = element_energies(counts[counted], energy[counted])
        residuals[counted] = (energy - counts @ fitted)[counted] / dataset.sizes[counted]
        residuals[counted] -= np.median(residuals[counted])
    return np.abs(residuals)


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
