"""A model's twin in hippynn 0.1.3, with the same weights."""

import numpy as np
import torch

from mlipkd.config.model import Architecture
from mlipkd.datasets.dataset import Dataset
from mlipkd.hipnn.network import HIPNN

NETWORKS = {0: "Hipnn", 1: "HipnnVec", 2: "HipnnQuad"}


def hippynn_network(shape: Architecture, species: list[int], parents: tuple):
    """The node of a hippynn network on (species, positions) or (species, positions, cell)."""
    from hippynn.graphs import networks

    return getattr(networks, NETWORKS[shape.l_max])(
        "network",
        parents,
        periodic=len(parents) == 3,
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


def hippynn_model(shape: Architecture, species: list[int], periodic: bool):
    """A hippynn predictor with random weights, and the modules that hold them."""
    from hippynn.graphs import Predictor, inputs, physics, targets

    Z, R = inputs.SpeciesNode("Z"), inputs.PositionsNode("R")
    parents = (Z, R, inputs.CellNode("C")) if periodic else (Z, R)
    network = hippynn_network(shape, species, parents)
    energy = targets.HEnergyNode("energy", network)
    force = physics.GradientNode("force", (energy.mol_energy, R), sign=-1)
    outputs = [energy.mol_energy, energy.atom_energies, energy.hierarchicality, force]
    predictor = Predictor(list(parents), outputs)
    return predictor, network.torch_module, energy.torch_module


def copy_weights(network, energy, model: HIPNN) -> None:
    """Weights of hippynn's modules into ours."""
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
                if layer.base.tau1 is not None:
                    pairs.append((layer.base.tau1, base.vecscales))
                if layer.base.tau2 is not None:
                    pairs.append((layer.base.tau2, base.quadscales))
            else:
                pairs += [(layer.base.weight, base.weight), (layer.base.bias, base.bias)]
            for our_tensor, hippynn_tensor in pairs:
                our_tensor.copy_(hippynn_tensor.reshape(our_tensor.shape))
        model.E0[0] = energy.layers[0].weight[0]
        for n, head in enumerate(energy.layers[1:]):
            model.w[0, n] = head.weight[0]
            model.b[0, n] = head.bias[0]


def real_atoms(dataset: Dataset) -> np.ndarray:
    """Which entries of hippynn's arrays are atoms: (configurations, most atoms) bool."""
    return np.arange(dataset.sizes.max()) < dataset.sizes[:, None]


def filled_up(dataset: Dataset, values: np.ndarray, dtype: type) -> np.ndarray:
    """Values of the atoms (atoms, …) as (configurations, most atoms, …), filled up with zeros."""
    real = real_atoms(dataset)
    array = np.zeros((*real.shape, *values.shape[1:]), dtype)
    array[real] = values
    return array


def arrays(dataset: Dataset, dtype: type = np.float64) -> dict[str, np.ndarray]:
    """A dataset as hippynn's arrays: species Z, positions R and, if it is periodic, cells C."""
    arrays = {
        "Z": filled_up(dataset, dataset.species, np.int64),
        "R": filled_up(dataset, dataset.positions, dtype),
    }
    return arrays | ({"C": dataset.cells.astype(dtype)} if dataset.periodic.any() else {})
