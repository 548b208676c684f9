"""The systems that costs are measured on: of any size, made of one configuration."""

import numpy as np
from ase import Atoms
from ase.units import kB

from mlipkd.datasets.atoms import atoms_of
from mlipkd.datasets.dataset import TEST, Dataset
from mlipkd.datasets.file import DatasetFile
from mlipkd.errors import InputError

#: Space between a molecule's outermost nuclei and the next molecule's, Å; about that of a liquid.
GAP = 2.0
#: Temperature of the first velocities, K.
TEMPERATURE = 300.0


def example_of(dataset: DatasetFile) -> Dataset:
    """The test split's first configuration of several atoms; its first, where all are of one.

    Atoms alone are among others for the sake of their energies, and what they cost is no measure.

    Raises:
        InputError: the test split is empty.
    """
    test = np.flatnonzero(dataset.splits == TEST)  # (test configurations,)
    if len(test) == 0:
        raise InputError(
            f"{dataset.path}: expected a configuration in the test split to measure costs on, got "
            "none; raise split.test and make the dataset again"
        )
    several = test[dataset.sizes[test] > 1]
    return dataset.read([*several, *test][:1])


def system_of(dataset: Dataset, atoms: int) -> Atoms:
    """A system of at least ``atoms`` atoms, made of the dataset's first configuration.

    A periodic one is repeated, directions that are short first. Of a molecule, copies are put on a
    lattice about as dense as a liquid, in free space.
    """
    one = atoms_of(dataset, 0)
    if not one.pbc.any():
        centred = one.positions - one.positions.mean(axis=0)  # (atoms, 3)
        one.positions = centred @ np.linalg.svd(centred)[2].T  # along its principal axes
        one.cell = np.diag(np.ptp(one.positions, axis=0) + GAP)
    repeated = one.pbc if one.pbc.any() else np.ones(3, bool)
    repeats = np.ones(3, int)
    while len(one) * repeats.prod() < atoms:
        repeats[np.argmin(np.where(repeated, one.cell.lengths() * repeats, np.inf))] += 1
    system = one.repeat(repeats)
    if not one.pbc.any():
        system.cell = None
    normal = np.random.default_rng(0).normal(size=(len(system), 3))  # (atoms, 3)
    system.set_momenta(normal * np.sqrt(system.get_masses()[:, None] * kB * TEMPERATURE))
    return system
