"""Trust: a teacher's labels count by how far its members agree on them.

    w = 1 / (1 + (s / (scale · s̃))²)

s is the root mean square, over the components of an atom's label or over all of a configuration, of
the members' standard deviation, and s̃ its median over all configurations but the test split: a
label of typical spread counts half, where scale = 1. This is the weight 1/(σ² + s²) of an error
that has a variance σ² of its own beside that of the label, scaled to one where the members agree.
"""

import numpy as np
import torch

from mlipkd.config.recipe import LossTerm, Trust
from mlipkd.datasets.dataset import TEST, Dataset, row_offsets, slabs
from mlipkd.datasets.file import DatasetFile
from mlipkd.errors import InputError

SPREAD = "teacher_spread"


class TrustIn:
    """What the labels of one term count, as a function of the configurations."""

    def __init__(self, file: DatasetFile, term: LossTerm, quantity: str) -> None:
        """Find the median of the spread.

        Args:
            file: the augmented dataset.
            term: of the loss; it has trust.
            quantity: the label that the term's quantity is computed from.

        Raises:
            InputError: the dataset has no spread of this quantity, or the members always agree.
        """
        assert term.trust is not None
        self.settings: Trust = term.trust
        self.quantity, self.per_atom = quantity, term.quantity == "energy_per_atom"
        if quantity not in file.labels.get(SPREAD, []):
            raise InputError(
                f"{file.path}: expected the spread of a teacher's {quantity} to weigh them by, got "
                "none; let several members teach, or leave trust out of the recipe"
            )
        chosen = np.flatnonzero(file.splits != TEST)  # (configurations,)
        found = [self._spread(file.read(chosen[slab])) for slab in slabs(file.sizes[chosen])]
        self.median = float(np.nanmedian(np.concatenate(found)))
        if not self.median > 0:
            raise InputError(
                f"{file.path}: expected members that differ in {quantity}, but half of their "
                "labels have no spread; leave trust out of the recipe"
            )

    def weights(self, dataset: Dataset) -> torch.Tensor:
        """What each row of the label counts: (atoms,) or (configurations,); one at most."""
        relative = self._spread(dataset) / (self.settings.scale * self.median)  # (rows,)
        return torch.from_numpy(1 / (1 + np.square(relative)))

    def _spread(self, dataset: Dataset) -> np.ndarray:
        """s of each row of the label: (atoms,) or (configurations,)."""
        spread = dataset.labels[SPREAD][self.quantity]  # (rows, …)
        if self.per_atom:
            spread = spread / dataset.sizes
        squared = np.square(spread).reshape(len(spread), -1).mean(axis=1)  # (rows,)
        if self.settings.per == "configuration":
            rows = row_offsets(self.quantity, dataset.offsets)  # (configurations + 1,)
            means = np.add.reduceat(squared, rows[:-1]) / np.diff(rows)  # (configurations,)
            squared = np.repeat(means, np.diff(rows))
        return np.sqrt(squared)
