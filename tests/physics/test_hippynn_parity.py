"""With the weights of a hippynn model, ours gives hippynn's numbers (float64, its eager kernel)."""

import numpy as np
import pytest
import torch

from benchmarks.hippynn_twin import arrays, copy_weights, hippynn_model, real_atoms
from mlipkd.hipnn.batch import Batcher
from mlipkd.hipnn.derivatives import per_system
from mlipkd.hipnn.engines import ENGINES
from mlipkd.hipnn.network import HIPNN, hierarchicality
from mlipkd.testing import PARITY, dataset_of, random_crystal, random_molecule
from tests.models import CPU_ENGINES, small_shape

custom_kernels = pytest.importorskip(
    "hippynn.custom_kernels", reason="hippynn is a test-only dependency"
)


@pytest.fixture(autouse=True)
def eager():
    """hippynn's eager kernel, whatever tests before have chosen."""
    custom_kernels.set_custom_kernels("_pytorch_raw")


def relative(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    return float((ours - theirs).detach().abs().max() / theirs.detach().abs().max())


@pytest.mark.parametrize("engine", CPU_ENGINES)
@pytest.mark.parametrize("periodic", [False, True], ids=["molecules", "crystals"])
@pytest.mark.parametrize("n_interactions", [1, 2])
@pytest.mark.parametrize("l_max", [0, 1, 2])
def test_same_numbers_as_hippynn(
    l_max: int, n_interactions: int, periodic: bool, engine: str
) -> None:
    torch.manual_seed(7)
    generator = np.random.default_rng(7)
    elements = (13,) if periodic and n_interactions == 1 else (1, 6, 8)
    shape = small_shape(
        n_interactions=n_interactions, l_max=l_max, atom_layers=2, width=10, sensitivities=7
    )
    if periodic:  # cells smaller than the cut-off: several images of one neighbour
        dataset = dataset_of([random_crystal(generator, n, elements) for n in (4, 6, 5)])
    else:
        dataset = dataset_of([random_molecule(generator, n, elements) for n in (3, 9, 6, 1)])

    predictor, network, energy = hippynn_model(shape, list(elements), periodic)
    predictor.to(torch.float64)
    theirs = predictor(**{key: torch.from_numpy(value) for key, value in arrays(dataset).items()})

    model = HIPNN(shape, elements).double()
    copy_weights(network, energy, model)
    batch = Batcher(dataset, elements, shape.hard_max, torch.float64).batch(
        torch.arange(len(dataset))
    )
    run = ENGINES[engine]
    orders, gradient = run.orders_and_gradient(model, batch, derivatives=True, training=False)
    (total,) = per_system(orders.sum(2), batch)
    (ours_forces,) = run.forces(gradient, batch)
    (ours_hierarchicality,) = per_system(hierarchicality(orders), batch)

    real = torch.from_numpy(real_atoms(dataset))
    assert relative(total, theirs["energy.mol_energy"][:, 0]) < PARITY
    atomic = theirs["energy.atom_energies"].reshape(*real.shape)[real]
    assert relative(orders[0].sum(1), atomic) < PARITY
    assert relative(ours_hierarchicality, theirs["energy.hierarchicality"][:, 0]) < PARITY
    assert relative(ours_forces, theirs["force"][real]) < PARITY
