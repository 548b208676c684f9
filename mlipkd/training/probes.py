"""Probes: random vectors that make one product of a Hessian out of all of its columns.

Let Δ be the difference of a model's Hessian and its label, 3n by 3n, and v random with ⟨v vᵀ⟩ =
1/(3n). Then |Δ v|² has the mean ‖Δ‖²/(3n), and its mean over 3n components that of the squares of
all (3n)² entries: what is trained on products alone is, on average, the error of whole Hessians
(M. F. Hutchinson, Commun. Stat. Simul. Comput. 19, 433 (1990), doi 10.1080/03610919008812866).
With A = ΔᵀΔ and N = 3n, one product says |Δ v|² of the variance

    one_hot      (Σ_k A_kk²)/N - (tr A / N)²          columns that differ
    rademacher   2 Σ_{k≠l} A_kl² / N²                 columns that are alike
    gaussian     2 ‖A‖² / N²                          never less than rademacher's

A probe is drawn from (seed, epoch, number of the configuration), so that it is the same however
mini-batches are divided and wherever training was interrupted. Epoch 0 is that of probes that stay.
"""

from collections.abc import Sequence

import numpy as np


def draw(
    kind: str, sizes: Sequence[int], numbers: Sequence[int], seed: int, epoch: int
) -> np.ndarray:
    """One probe of each configuration: (atoms, 3) float64, of no unit.

    Args:
        kind: one_hot, rademacher or gaussian.
        sizes: (configurations,), atoms of each.
        numbers: (configurations,), which they are in the dataset.
        seed: of the training.
        epoch: 0 for probes that stay.
    """
    drawn = []
    for atoms, number in zip(sizes, numbers, strict=True):
        generator, N = np.random.default_rng((seed, epoch, number)), 3 * atoms
        if kind == "one_hot":
            v = np.zeros(N)
            v[generator.integers(N)] = 1
        elif kind == "rademacher":
            v = (2 * generator.integers(2, size=N) - 1) / np.sqrt(N)
        else:
            v = generator.normal(0, 1 / np.sqrt(N), N)
        drawn.append(v.reshape(-1, 3))
    return np.concatenate(drawn)
