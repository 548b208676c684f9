"""Outliers: configurations that stand far apart, which a root mean square is made of.

A value is far if it is more than ``FAR`` times what 95 % of them do not exceed. That may be right,
of atoms pressed together on purpose; or a calculation that did not converge.
"""

import numpy as np

from mlipkd.datasets.dataset import Dataset, composition

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
