"""A random model in float64 and an alloy that it knows."""

from ase import Atoms
from ase.build import bulk

from mlipkd.hipnn.network import HIPNN
from tests.models import random_model, small_shape

SPECIES = (1, 6, 13, 29)


def model_of(n_interactions: int, members: int = 2) -> HIPNN:
    """An ensemble with a cut-off of 5 Å."""
    shape = small_shape(n_interactions=n_interactions, hard_max=5.0)
    models = [random_model(shape, SPECIES, seed) for seed in range(members)]
    return HIPNN.ensemble(models).requires_grad_(False)


def alloy(repeats: int) -> Atoms:
    """A crystal of aluminium and copper, its atoms a little off their sites."""
    atoms = bulk("Al", cubic=True) * (repeats, repeats, repeats)
    atoms.numbers[::3] = 29
    atoms.rattle(0.1, seed=0)
    return atoms
