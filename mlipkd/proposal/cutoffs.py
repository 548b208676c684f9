"""Cut-offs: where a model's sensitivities begin and end, from contacts and density."""

from dataclasses import dataclass

import numpy as np

from mlipkd.datasets.contacts import Contacts
from mlipkd.datasets.dataset import Dataset
from mlipkd.errors import InputError
from mlipkd.sizing.size import FARTHEST, Size

#: The cut-off holds so many neighbours, on average, unless it would leave these bounds, Å; and it
#: reaches the second shell, which begins between 1.4 and 1.7 times the first.
NEIGHBOURS = 50
SHORTEST, LONGEST, SHELLS = 4.5, 6.0, 1.9
#: How far before the cut-off the last sensitivity is centred, Å.
MARGIN = 0.5
#: Where the first sensitivity is centred: this part of the distance that one in a hundred
#: configurations has a closer contact than, and never nearer than this, Å.
PART, CLOSE, NEAREST = 0.8, 0.01, 0.3


@dataclass(frozen=True)
class Cutoffs:
    """Distances of ``model`` in a campaign, Å."""

    soft_min: float
    soft_max: float
    hard_max: float


def cutoffs(dataset: Dataset, found: Contacts, size: Size) -> Cutoffs:
    """Distances for a dataset.

    Raises:
        InputError: no configuration has two atoms.
    """
    several = np.isfinite(found.distance)  # (configurations,)
    if not several.any():
        raise InputError(
            f"{dataset.name}: wanted configurations of several atoms, got atoms alone; "
            "there is nothing to learn from them"
        )
    radii = np.arange(SHORTEST, LONGEST + 0.05, 0.1)  # (radii,)
    neighbours = np.array([size.within(radius) for radius in radii])
    enough = radii[neighbours >= NEIGHBOURS]
    wanted = enough[0] if len(enough) else LONGEST
    hard_max = min(max(wanted, SHELLS * float(np.median(found.nearest[several]))), FARTHEST)
    soft_min = max(PART * float(np.quantile(found.distance[several], CLOSE)), NEAREST)
    return Cutoffs(round(soft_min, 2), round(hard_max - MARGIN, 1), round(hard_max, 1))
