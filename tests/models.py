"""Small models with random weights, and the engines that run them here."""

import torch

from mlipkd.config.model import Architecture
from mlipkd.hipnn.engines.cpu.library import library
from mlipkd.hipnn.initial import initialise
from mlipkd.hipnn.network import HIPNN

#: What ``MLIPKD_ENGINE`` may be on the CPU of this machine.
CPU_ENGINES = ("reference",) if library() is None else ("reference", "cpu")


def small_shape(**differences: float) -> Architecture:
    """An architecture of few features and a short cut-off, with these differences."""
    small = {"n_interactions": 1, "l_max": 1, "atom_layers": 1, "width": 6, "sensitivities": 5}
    distances = {"soft_min": 0.8, "soft_max": 3.5, "hard_max": 4.5}
    return Architecture.model_validate({**small, **distances, **differences})


def random_model(shape: Architecture, species: tuple[int, ...], seed: int) -> HIPNN:
    """An untrained model in float64, its heads scaled up so that errors show.

    Where there is a repulsion, its walls differ by pair and end 2.5 to 3.5 Å away.
    """
    model = HIPNN(shape, species).double()
    initialise(model, seed)
    generator = torch.Generator().manual_seed(seed)
    torch.nn.init.normal_(model.w, generator=generator)
    if model.repulsion is not None:
        noise = torch.rand(model.repulsion.walls.shape, generator=generator).double() / 2
        mean = torch.tensor([1.0, 0.3, 1.5, 2.5], dtype=torch.float64)
        model.repulsion.walls.copy_(mean + noise + noise.transpose(1, 2))
    return model
