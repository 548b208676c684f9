"""What the predictions of a loss term are compared with: labels, how much each counts, and probes.

A teacher's labels may count by how far its members agree on them (``trust`` in a recipe):

    w = 1 / (1 + (s / (scale · s̃))²)

s is the root mean square, over the components of an atom's label or over all of a configuration, of
the members' standard deviation, and s̃ its median over all configurations but the test split: a
label of typical spread counts half, where scale = 1. This is the weight 1/(σ² + s²) of an error
that has a variance σ² in addition to that of the label, scaled to one where the members agree.

Probes are random vectors that make one product of a Hessian stand for all of its columns. Let Δ be
the difference of a model's Hessian and its label, 3n by 3n, and v random with ⟨v vᵀ⟩ = 1/(3n). Then
|Δ v|² has the mean ‖Δ‖²/(3n), and its mean over 3n components that of the squares of all (3n)²
entries: training on products minimises, on average, the error of whole Hessians (M. F.
Hutchinson, Commun. Stat. Simul. Comput. 19, 433 (1990), doi 10.1080/03610919008812866). With
A = ΔᵀΔ and N = 3n, |Δ v|² of one product has the variance

    one_hot      (Σ_k A_kk²)/N - (tr A / N)²          columns that differ
    rademacher   2 Σ_{k≠l} A_kl² / N²                 columns that are alike
    gaussian     2 ‖A‖² / N²                          never less than rademacher's
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch

from mlipkd.config.recipe import LossTerm, Trust
from mlipkd.datasets.dataset import TEST, Dataset, memory_batches, row_offsets
from mlipkd.datasets.file import DatasetFile
from mlipkd.errors import InputError

SPREAD = "teacher_spread"


@dataclass(frozen=True)
class TermLabels:
    """Labels of some configurations for one term of the loss."""

    values: torch.Tensor
    """(rows, …) float64, eV and Å; NaN where there is none."""
    weights: torch.Tensor | None = None
    """(rows,) how much each row counts; all count one if left out."""
    probes: torch.Tensor | None = None
    """(atoms, 3) float64: the vectors that Hessians are multiplied by, one a configuration."""

    def select(self, rows: torch.Tensor) -> Self:
        """Some rows, of labels that have no probes yet."""
        weights = None if self.weights is None else self.weights[rows]
        return type(self)(self.values[rows], weights)


#: By the name of the term.
Labels = dict[str, TermLabels]


def as_compared(term: LossTerm, labels: Mapping[str, np.ndarray], dataset: Dataset) -> np.ndarray:
    """A term's labels, or their spread, as its quantity: (rows, …)."""
    values, convert = labels[term.label], term.compared.from_label
    return values if convert is None else convert(values, dataset.sizes)


class LabelWeights:
    """How much a teacher's labels count in one term, as a function of the configurations."""

    def __init__(self, file: DatasetFile, term: LossTerm) -> None:
        """Find the median of the spread.

        Args:
            file: the augmented dataset.
            term: of the loss; it has ``trust``.

        Raises:
            InputError: the dataset has no spread of this quantity, or the members always agree.
        """
        assert term.trust is not None
        self.term = term
        self.trust: Trust = term.trust
        if term.label not in file.labels.get(SPREAD, []):
            raise InputError(
                f"{file.path}: expected the spread of a teacher's {term.label} to weigh them by, "
                "got none; let several members teach, or leave trust out of the recipe"
            )
        chosen = np.flatnonzero(file.splits != TEST)  # (configurations,)
        batches = memory_batches(file.sizes[chosen])
        spreads = [self._spread(file.read(chosen[batch])) for batch in batches]
        self.median = float(np.nanmedian(np.concatenate(spreads)))
        if not self.median > 0:
            raise InputError(
                f"{file.path}: expected members that differ in {term.label}, but half of their "
                "labels have no spread; leave trust out of the recipe"
            )

    def of(self, dataset: Dataset) -> torch.Tensor:
        """How much each row of the label counts, one at most: (atoms,) or (configurations,)."""
        relative = self._spread(dataset) / (self.trust.scale * self.median)  # (rows,)
        return torch.from_numpy(1 / (1 + np.square(relative)))

    def _spread(self, dataset: Dataset) -> np.ndarray:
        """s of each row of the label: (atoms,) or (configurations,)."""
        spread = as_compared(self.term, dataset.labels[SPREAD], dataset)  # (rows, …)
        squared = np.square(spread).reshape(len(spread), -1).mean(axis=1)  # (rows,)
        if self.trust.per == "configuration":
            rows = row_offsets(self.term.label, dataset.offsets)  # (configurations + 1,)
            means = np.add.reduceat(squared, rows[:-1]) / np.diff(rows)  # (configurations,)
            squared = np.repeat(means, np.diff(rows))
        return np.sqrt(squared)


def draw_probes(
    kind: str, sizes: Sequence[int], numbers: Sequence[int], seed: int, epoch: int
) -> np.ndarray:
    """One probe of each configuration: (atoms, 3) float64, without unit.

    It is drawn from (seed, epoch, number of the configuration), so that it is the same however
    mini-batches are divided and wherever training was interrupted.

    Args:
        kind: one_hot, rademacher or gaussian.
        sizes: (configurations,), atoms of each.
        numbers: (configurations,), which configurations of the dataset they are.
        seed: of the training.
        epoch: counted from 1; 0 for probes that stay the same.
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
