"""Fits of the repulsion to the distances in the training configurations.

The density h(r) of pairs of two elements at a distance r, over all configurations, gives the
potential of mean force relative to its first minimum, which is where h has its first maximum:

    W(r) = -k_B T ln(h(r) / h(r_c)),   h(r_c) the first maximum

Its part at r < r_c is what repels (J. D. Weeks, D. Chandler, H. C. Andersen, J. Chem. Phys. 54,
5237 (1971), doi 10.1063/1.1674820). The wall is an exponential through W from where h begins to
r_on, where it is half of its maximum; from there it is taken to zero at r_c. As h is only compared
with itself, nothing depends on a volume: free systems have walls like periodic ones.

A wall must rise faster than a network may fall where it was not trained. Its decay length is that
of the data, but between d/30 and d/12, d the closest distance: the wall is as steep at d as
powers of 1/r with these exponents, no softer than Lennard-Jones's core. What is some k_B T at d is
400 times as much or more at ½ d, and at r = 0 at most 10¹³ times, which single precision holds.
"""

import numpy as np
import torch
from ase.units import kB
from vesin import NeighborList

from mlipkd.datasets.dataset import Dataset
from mlipkd.errors import InputError
from mlipkd.hipnn.batch import elements_of
from mlipkd.hipnn.network import HIPNN

#: Width of the bins of h, Å.
BIN = 0.02
#: A maximum is not exceeded within so many Å beyond it, and not small compared with the highest.
PEAK_WINDOW, PEAK_SHARE = 1.0, 0.1
#: Least and greatest d/λ; where there are too few data, the least.
STEEPNESS = 12.0, 30.0
#: With fewer distances a pair of elements is not fitted.
ENOUGH = 100


def fit_repulsion(model: HIPNN, dataset: Dataset) -> None:
    """Set the walls of a single model to fits of the distances in a dataset.

    A pair of elements with fewer than ``ENOUGH`` distances within the cut-off takes the wall of
    shortest range among those of other pairs: no narrower one is known.

    Raises:
        InputError: all pairs of elements have fewer.
    """
    shape, number = model.architecture, len(model.species)
    assert model.repulsion is not None and shape.repulsion is not None
    counts = count_distances(dataset, model.species, shape.hard_max)
    kT = kB * shape.repulsion.temperature
    kinds = [(a, b) for a in range(number) for b in range(a, number)]
    totals = {kind: int(counts[kind].sum()) for kind in kinds}
    fitted = {kind: fit_wall(counts[kind], kT) for kind in kinds if totals[kind] >= ENOUGH}
    if not fitted:
        raise InputError(
            f"{dataset.name}: expected at least {ENOUGH} distances within {shape.hard_max:g} Å "
            "between atoms of two elements in the training configurations, to fit the model's "
            f"repulsion to, got {max(totals.values())}; give more, or remove model.repulsion"
        )
    shortest = min(fitted.values(), key=lambda wall: wall[-1])
    for a, b in kinds:
        wall = torch.tensor(fitted.get((a, b), shortest), dtype=torch.float64)
        model.repulsion.walls[0, a, b] = model.repulsion.walls[0, b, a] = wall


def count_distances(dataset: Dataset, species: tuple[int, ...], cutoff: float) -> np.ndarray:
    """Pairs of elements a ≤ b by distance in bins of ``BIN``: (elements, elements, bins) int64."""
    elements, number, bins = elements_of(dataset, species), len(species), int(cutoff / BIN)
    counts = np.zeros(number * number * bins, np.int64)
    search = NeighborList(cutoff=cutoff, full_list=False, n_threads=1)
    for m, (first, last) in enumerate(zip(dataset.offsets[:-1], dataset.offsets[1:], strict=True)):
        positions, kinds = dataset.positions[first:last], elements[first:last]
        cell, periodic = dataset.cells[m], dataset.periodic[m]
        i, j, distances = search.compute(positions, cell, periodic, quantities="ijd")
        a, b = np.minimum(kinds[i], kinds[j]), np.maximum(kinds[i], kinds[j])  # (pairs,)
        bin_ = (distances / BIN).astype(np.int64)  # (pairs,)
        entries = ((a * number + b) * bins + bin_)[bin_ < bins]
        counts += np.bincount(entries, minlength=len(counts))
    return counts.reshape(number, number, bins)


def fit_wall(counts: np.ndarray, kT: float) -> tuple[float, float, float, float]:
    """σ, λ, r_on and r_c, Å, of the wall that shows in counts of distances.

    Args:
        counts: (bins,), of ``BIN`` each, of which at least one is not zero.
        kT: eV.
    """
    edges = np.arange(len(counts) + 1) * BIN
    middles = (edges[1:] + edges[:-1]) / 2  # (bins,)
    h = counts / np.diff(edges**3)  # (bins,), in units that do not matter
    top = _first_maximum(h)
    closest, r_c = middles[np.flatnonzero(counts)[0]], middles[top]
    half = np.flatnonzero(h >= h[top] / 2)[0]  # the first bin of so many
    sparse = np.flatnonzero(counts[:half])  # (some bins,)
    if len(sparse) < 2:
        # The data end like a cliff: a wall just before them, of what W is at half of the maximum.
        r_on, decay = 0.9 * closest, closest / STEEPNESS[0]
        return r_on + decay * np.log(kT * np.log(2)), decay, r_on, r_c
    r, W = middles[sparse], -kT * np.log(h[sparse] / h[top])
    # W is known to k_B T / √counts, so ln W to the inverse of this:
    weights = np.sqrt(counts[sparse]) * W / kT
    slope, _ = np.polyfit(r, np.log(W), 1, w=weights)
    steepness = np.clip(-slope * closest, *STEEPNESS)
    decay = closest / steepness
    sigma = np.average(r + decay * np.log(W), weights=weights**2)
    return sigma, decay, min(middles[half], 0.95 * r_c), r_c


def _first_maximum(h: np.ndarray) -> int:
    """The first bin that none exceeds within ``PEAK_WINDOW`` and that is not small."""
    window = round(PEAK_WINDOW / BIN)
    high = np.flatnonzero(h >= PEAK_SHARE * h.max())
    return next(int(k) for k in high if h[k] >= h[k : k + window].max())
