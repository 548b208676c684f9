"""With the weights of a hippynn model, ours gives hippynn's numbers (float64, its eager kernel)."""

import os

os.environ["HIPPYNN_USE_CUSTOM_KERNELS"] = "_pytorch_raw"

import numpy as np
import pytest
import torch

from mlipkd.config.model import Architecture
from mlipkd.hipnn.batch import Batcher
from mlipkd.hipnn.derivatives import forces, pair_gradient, per_system
from mlipkd.hipnn.hierarchicality import hierarchicality
from mlipkd.hipnn.kernels.environment import library
from mlipkd.hipnn.network import HIPNN
from mlipkd.testing import PARITY, dataset_of, random_crystal, random_molecule

hippynn = pytest.importorskip("hippynn", reason="hippynn is a test-only dependency")

NETWORKS = {0: "Hipnn", 1: "HipnnVec", 2: "HipnnQuad"}


def hippynn_model(shape: Architecture, species: list[int], periodic: bool):
    """A hippynn predictor with random weights, and the modules that hold them."""
    from hippynn.graphs import Predictor, inputs, networks, physics, targets

    Z, R = inputs.SpeciesNode("Z"), inputs.PositionsNode("R")
    parents = (Z, R, inputs.CellNode("C")) if periodic else (Z, R)
    network = getattr(networks, NETWORKS[shape.l_max])(
        "network",
        parents,
        periodic=periodic,
        module_kwargs={
            "possible_species": [0, *species],
            "n_features": shape.width,
            "n_sensitivities": shape.sensitivities,
            "dist_soft_min": shape.soft_min,
            "dist_soft_max": shape.soft_max,
            "dist_hard_max": shape.hard_max,
            "n_interaction_layers": shape.n_interactions,
            "n_atom_layers": shape.atom_layers,
            "resnet": True,
        },
    )
    energy = targets.HEnergyNode("energy", network)
    force = physics.GradientNode("force", (energy.mol_energy, R), sign=-1)
    outputs = [energy.mol_energy, energy.atom_energies, energy.hierarchicality, force]
    predictor = Predictor(list(parents), outputs)
    predictor.to(torch.float64)
    return predictor, network.torch_module, energy.torch_module


def copy_weights(network, energy, model: HIPNN) -> None:
    """Weights of hippynn's modules into ours (HIPNN_SPEC section 8)."""
    with torch.no_grad():
        wrappers = [wrapper for block in network.blocks for wrapper in block]
        for wrapper, layer in zip(wrappers, model.layers, strict=True):
            base = wrapper.base_layer
            pairs = [(layer.outer.weight, wrapper.res_layer.weight)]
            pairs += [(layer.outer.bias, wrapper.res_layer.bias)]
            if hasattr(layer, "skip"):
                pairs.append((layer.skip.weight, wrapper.adjust_layer.weight))
            if hasattr(base, "sensitivity"):
                pairs += [(layer.base.V, base.int_weights)]
                pairs += [(layer.base.W, base.selfint.weight)]
                pairs += [(layer.base.b, base.selfint.bias)]
                pairs += [(layer.base.sensitivity.mu, base.sensitivity.mu[0])]
                pairs += [(layer.base.sensitivity.sigma, base.sensitivity.sigma[0])]
                if layer.base.l_max >= 1:
                    pairs.append((layer.base.tau1, base.vecscales))
                if layer.base.l_max == 2:
                    pairs.append((layer.base.tau2, base.quadscales))
            else:
                pairs += [(layer.base.weight, base.weight), (layer.base.bias, base.bias)]
            for ours_tensor, theirs_tensor in pairs:
                ours_tensor.copy_(theirs_tensor.reshape(ours_tensor.shape))
        model.E0.copy_(energy.layers[0].weight[0])
        for n, head in enumerate(energy.layers[1:]):
            model.w[n] = head.weight[0]
            model.b[n] = head.bias[0]


def arrays(dataset, periodic: bool) -> dict[str, torch.Tensor]:
    """The dataset as hippynn's padded arrays."""
    longest = dataset.sizes.max()
    Z = np.zeros((len(dataset), longest), int)
    R = np.zeros((len(dataset), longest, 3))
    for m, (first, last) in enumerate(zip(dataset.offsets[:-1], dataset.offsets[1:], strict=True)):
        Z[m, : last - first] = dataset.species[first:last]
        R[m, : last - first] = dataset.positions[first:last]
    given = {"Z": torch.from_numpy(Z), "R": torch.from_numpy(R)}
    return given | ({"C": torch.from_numpy(dataset.cells)} if periodic else {})


def relative(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    return float((ours - theirs).detach().abs().max() / theirs.detach().abs().max())


@pytest.mark.parametrize("engine", ["reference"] if library() is None else ["reference", "cpu"])
@pytest.mark.parametrize("periodic", [False, True], ids=["molecules", "crystals"])
@pytest.mark.parametrize("n_interactions", [1, 2])
@pytest.mark.parametrize("l_max", [0, 1, 2])
def test_same_numbers_as_hippynn(
    l_max: int, n_interactions: int, periodic: bool, engine: str, monkeypatch
) -> None:
    monkeypatch.setenv("MLIPKD_ENGINE", engine)
    torch.manual_seed(7)
    generator = np.random.default_rng(7)
    elements = (13,) if periodic and n_interactions == 1 else (1, 6, 8)
    shape = Architecture(
        n_interactions=n_interactions,
        l_max=l_max,
        atom_layers=2,
        width=10,
        sensitivities=7,
        soft_min=0.8,
        soft_max=4.0,
        hard_max=5.0,
    )
    if periodic:  # cells smaller than the cut-off: several images of one neighbour
        dataset = dataset_of([random_crystal(generator, n, elements) for n in (4, 6, 5)])
    else:
        dataset = dataset_of([random_molecule(generator, n, elements) for n in (3, 9, 6, 1)])

    predictor, network, energy = hippynn_model(shape, list(elements), periodic)
    theirs = predictor(**arrays(dataset, periodic))

    model = HIPNN(shape, elements).double()
    copy_weights(network, energy, model)
    batch = Batcher(dataset, elements, shape.hard_max, torch.float64).batch(
        torch.arange(len(dataset))
    )
    batch.vectors.requires_grad_()
    orders = model(batch)
    total = per_system(orders.sum(1), batch)
    ours_forces = forces(pair_gradient(total, batch, training=False), batch)
    ours_hierarchicality = per_system(hierarchicality(orders), batch)

    real = arrays(dataset, periodic)["Z"].bool()
    assert relative(total, theirs["energy.mol_energy"][:, 0]) < PARITY
    atomic = theirs["energy.atom_energies"].reshape(*real.shape)[real]
    assert relative(orders.sum(1), atomic) < PARITY
    assert relative(ours_hierarchicality, theirs["energy.hierarchicality"][:, 0]) < PARITY
    if l_max or n_interactions or periodic:
        assert relative(ours_forces, theirs["force"][real]) < PARITY
