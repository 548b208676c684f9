"""A random model in float64 and an alloy that it knows."""

import torch
from ase import Atoms
from ase.build import bulk

from mlipkd.config.model import Architecture
from mlipkd.hipnn.initial import initialise
from mlipkd.hipnn.network import HIPNN

SPECIES = (1, 6, 13, 29)


def model_of(n_interactions: int, members: int = 2) -> HIPNN:
    """An ensemble with a cut-off of 5 Å."""
    shape = Architecture(
        n_interactions=n_interactions,
        l_max=1,
        atom_layers=1,
        width=6,
        sensitivities=6,
        soft_min=0.9,
        soft_max=4.5,
        hard_max=5.0,
    )
    models = [HIPNN(shape, SPECIES).double() for _ in range(members)]
    for seed, model in enumerate(models):
        initialise(model, seed)
        torch.nn.init.normal_(model.w, generator=torch.Generator().manual_seed(seed))
    return HIPNN.ensemble(models).requires_grad_(False)


def alloy(repeats: int) -> Atoms:
    """A crystal of aluminium and copper, its atoms a little off their sites."""
    atoms = bulk("Al", cubic=True) * (repeats, repeats, repeats)
    atoms.numbers[::3] = 29
    atoms.rattle(0.1, seed=0)
    return atoms
