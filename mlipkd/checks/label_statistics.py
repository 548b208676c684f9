"""Statistics of labels: those that are the same everywhere, and those that are far from all others.

Energies or forces that do not depend on the positions, as zeros do not, were not computed, or stand
under another name.

A value is an outlier if it is more than ``FAR`` times what 95 % of them do not exceed; a root mean
square is made of these. They may be right, of atoms pressed together on purpose; or come from a
calculation that did not converge.
"""

from collections.abc import Iterable, Iterator

import numpy as np

from mlipkd.checks.force_energy_consistency import NEAREST, Pair, energy_noise
from mlipkd.checks.positions_and_labels import fault_lines
from mlipkd.datasets.dataset import Dataset, chosen_rows, composition, element_energies

#: Configurations from which on the same label in all of them is no chance.
FEWEST = 3
#: What rounding leaves of energies that are sums over elements, relative to the largest.
ROUNDING = 1e-12
#: How many times what the usual share of values does not exceed.
FAR, USUAL = 5.0, 0.95
#: Forces of copies may differ by this, eV/Å: an error of a model that is a good one.
FORCE_NOISE = 0.05


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


def contradictory_copies(dataset: Dataset, pairs: Iterable[Pair]) -> list[str]:
    """Copies of a configuration whose energies or forces differ by more than noise.

    The energies by more than reference methods are off by; the forces of exact copies by more than
    ``FORCE_NOISE`` and by more than a tenth of the largest. Not of beads, whose forces are noisy.

    Args:
        dataset: what is checked; all of its exact copies are found.
        pairs: those that are the same, but moved or turned, are found among these.
    """
    if dataset.beads:
        return []
    reference = dataset.labels["reference"]
    energy, forces = reference.get("energy"), reference.get("forces")
    noise = energy_noise(dataset.sizes)  # (configurations,)
    wrong = {
        pair.second: (pair.first, f"an energy {pair.difference - pair.work:+.4g} eV from it")
        for pair in pairs
        if pair.step < NEAREST
        and not pair.strained
        and abs(pair.difference - pair.work) > noise[pair.second]
    }
    for m, first in _copies(dataset):
        if energy is not None and abs(apart := energy[m] - energy[first]) > noise[m]:
            wrong[m] = first, f"an energy {apart:+.4g} eV from it"
        elif forces is not None:
            here, there = (forces[slice(*dataset.offsets[n : n + 2])] for n in (m, first))
            apart = np.abs(here - there).max()
            if apart > max(FORCE_NOISE, 0.1 * np.abs(there).max()):
                wrong[m] = first, f"forces up to {apart:.4g} eV/Å from them"
    return fault_lines(
        dataset,
        np.array(sorted(wrong), int),
        lambda m: (
            f"expected the labels of {dataset.place(wrong[m][0])}, whose copy it is, got "
            f"{wrong[m][1]}; keep one method, charge and spin, or remove one of the two"
        ),
    )


def _copies(dataset: Dataset) -> Iterator[tuple[int, int]]:
    """Each configuration that is an exact copy of an earlier one, and that one."""
    seen: dict[tuple[bytes, ...], int] = {}
    for m, (start, stop) in enumerate(zip(dataset.offsets[:-1], dataset.offsets[1:], strict=True)):
        arrays = (
            *(array[start:stop] for array in (dataset.species, dataset.positions)),
            *(array[m] for array in (dataset.cells, dataset.periodic)),
        )
        first = seen.setdefault(tuple(array.tobytes() for array in arrays), m)
        if first != m:
            yield m, first


def _different(dataset: Dataset) -> np.ndarray:
    """One of each group of exact copies, without single atoms: (chosen,)."""
    chosen = dataset.sizes > 1
    chosen[[m for m, _ in _copies(dataset)]] = False
    return np.flatnonzero(chosen)


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
