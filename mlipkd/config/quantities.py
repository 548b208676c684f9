"""Quantities: what configurations are labelled with, what models predict, what a loss compares.

A model predicts a quantity by the method of its name in ``hipnn/prediction.py``. Everything else
follows from its line in this table: the rows of its labels in every file, its unit, what a recipe
may name, which labels a loss term reads and how its errors count.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Quantity(NamedTuple):
    """What is known of a quantity without any model."""

    shape: tuple[int | str, ...]
    """Of one configuration, with "atoms" for its number of atoms. A flat array has a row for each
    configuration, atom, or ordered pair of a configuration's atoms; other axes are columns."""
    unit: str
    label: str | None = None
    """The label that it is computed from; none if it is a label itself."""
    order: int = 0
    """Of the derivative of the energy, with respect to positions or strain, that it takes."""
    from_label: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    """How its values follow from those of its label, (rows, …), and the configurations' numbers of
    atoms, (configurations,); none where they are the label's."""

    @property
    def curvature(self) -> bool:
        """Whether it takes second derivatives: it is then only of free molecules, and its error in
        the loss is the mean square, in place of RMSE + MAE."""
        return self.order == 2

    @property
    def atom_axes(self) -> int:
        """How many axes count atoms: 0 for rows of configurations, 1 of atoms, 2 of pairs."""
        return self.shape.count("atoms")


QUANTITIES = {
    "energy": Quantity((), "eV"),
    "energy_per_atom": Quantity((), "eV/atom", label="energy", from_label=np.divide),
    "forces": Quantity(("atoms", 3), "eV/Å", order=1),
    "atomic_energies": Quantity(("atoms",), "eV"),
    "stress": Quantity((3, 3), "eV/Å^3", order=1),
    "hessian": Quantity(("atoms", "atoms", 3, 3), "eV/Å^2", order=2),
    "hvp": Quantity(("atoms", 3), "eV/Å^2", label="hessian", order=2),
}
