"""hippynn at its best: its modules called directly, with precomputed and sorted pairs.

    d_ij = R_j - R_i + shift,   F = -∂E/∂R by automatic differentiation

Its graph, its padding of small systems and its own pair search, all of which cost time, are left
out. Each of its kernels for the sum over neighbours can be asked for by name; such a step also
spares derivatives by the weights in inference, and hippynn's look for distances that are too short.
With the kernel AS_INSTALLED these are as hippynn has them from the start.
"""

import os

os.environ.setdefault("NUMBA_NUM_THREADS", "1")

import importlib.util
import shutil
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from ase import Atoms
from vesin import NeighborList

from benchmarks.hippynn_twin import hippynn_model
from mlipkd.config.model import Architecture

#: In place of a kernel's name: hippynn's own choice, and its settings.
AS_INSTALLED = "auto"
#: Learning rate, so small that the weights stay those that were compared.
LEARNING_RATE = 1e-9

Labels = tuple[torch.Tensor, torch.Tensor]
"""Energies (systems,) in eV and forces (atoms, 3) in eV/Å, float64."""


@dataclass(frozen=True)
class Modules:
    """A hippynn network and its energy head."""

    network: torch.nn.Module
    energy: torch.nn.Module

    def parameters(self) -> list[torch.nn.Parameter]:
        """All weights."""
        return [*self.network.parameters(), *self.energy.parameters()]


@dataclass(frozen=True)
class Inputs:
    """Systems as hippynn's modules take them."""

    one_hot: torch.Tensor  # (atoms, elements)
    positions: torch.Tensor  # (atoms, 3) Å
    first: torch.Tensor  # (pairs,) int64, atom i
    second: torch.Tensor  # (pairs,) int64, atom j
    shifts: torch.Tensor  # (pairs, 3) Å, what a periodic image adds to R_j - R_i
    owners: torch.Tensor  # (atoms,) int64, the system each atom belongs to
    number: int  # of systems


def modules(
    shape: Architecture, species: Sequence[int], device: torch.device, seed: int = 0
) -> Modules:
    """Random weights, the same for the same seed."""
    torch.manual_seed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _, network, energy = hippynn_model(shape, list(species), periodic=False)
    return Modules(network.to(device), energy.to(device))


def kernels(device: torch.device, compiled: bool) -> list[str]:
    """The kernels to choose the fastest of: those for this device that are installed."""
    names = ["_pytorch_raw"]
    if device.type == "cuda":
        names += ["triton"] if importlib.util.find_spec("triton") else []
    elif importlib.util.find_spec("numba"):
        names.append("numba")
    return [*names, "pytorch"] if compiled and shutil.which("c++") else names


def use(kernel: str) -> str:
    """Let hippynn use a kernel; the name of what it uses then."""
    from hippynn import custom_kernels, settings

    settings.WARN_LOW_DISTANCES = kernel == AS_INSTALLED
    if kernel != custom_kernels.CUSTOM_KERNELS_ACTIVE:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            custom_kernels.set_custom_kernels(kernel)
    return str(custom_kernels.CUSTOM_KERNELS_ACTIVE)


def inputs(
    systems: Sequence[Atoms], species: Sequence[int], cutoff: float, device: torch.device
) -> Inputs:
    """Pairs within the cut-off (Å), every direction and image by itself, sorted by atom i."""
    first, second, shifts = [], [], []
    offset = 0
    for system in systems:
        search = NeighborList(cutoff=cutoff, full_list=True, sorted=True, n_threads=1)
        i, j, images = search.compute(
            system.positions, system.cell.array, system.pbc, quantities="ijS"
        )
        first.append(i.astype(np.int64) + offset)
        second.append(j.astype(np.int64) + offset)
        shifts.append((images.astype(np.float64) @ system.cell.array).astype(np.float32))
        offset += len(system)
    numbers = np.concatenate([system.numbers for system in systems])  # (atoms,)
    positions = np.concatenate([system.positions for system in systems]).astype(np.float32)
    owners = np.repeat(np.arange(len(systems)), [len(system) for system in systems])

    def tensor(array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array).to(device)

    return Inputs(
        one_hot=tensor((numbers[:, None] == np.asarray(species)).astype(np.float32)),
        positions=tensor(positions),
        first=tensor(np.concatenate(first)),
        second=tensor(np.concatenate(second)),
        shifts=tensor(np.concatenate(shifts)),
        owners=tensor(owners),
        number=len(systems),
    )


def energies_and_forces(
    modules: Modules, inputs: Inputs, training: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Energy (systems,) in eV and forces (atoms, 3) in eV/Å."""
    positions = inputs.positions.detach().requires_grad_()
    vectors = positions[inputs.second] - positions[inputs.first] + inputs.shifts  # (pairs, 3)
    distances = torch.linalg.vector_norm(vectors, dim=1)  # (pairs,)
    features = modules.network(inputs.one_hot, inputs.first, inputs.second, distances, vectors)
    energy = modules.energy(features, inputs.owners, inputs.number)[0].squeeze(1)  # (systems,)
    (gradient,) = torch.autograd.grad(energy.sum(), positions, create_graph=training)
    return energy, -gradient


def inference(
    modules: Modules, inputs: Inputs, kernel: str
) -> Callable[[], tuple[torch.Tensor, torch.Tensor]]:
    """A function that computes energies and forces."""
    for weights in modules.parameters():
        weights.requires_grad_(kernel == AS_INSTALLED)

    def step() -> tuple[torch.Tensor, torch.Tensor]:
        use(kernel)
        energy, forces = energies_and_forces(modules, inputs, training=False)
        return energy.detach(), forces

    return step


def training_step(
    modules: Modules, inputs: Inputs, labels: Labels, kernel: str
) -> Callable[[], torch.Tensor]:
    """A function that does one step of Adam on Err(energy) + Err(forces) and returns the loss."""
    energy_labels, force_labels = (label.to(inputs.positions) for label in labels)
    for weights in modules.parameters():
        weights.requires_grad_(True)
    adam = torch.optim.Adam(modules.parameters(), lr=LEARNING_RATE, fused=True)

    def step() -> torch.Tensor:
        use(kernel)
        energy, forces = energies_and_forces(modules, inputs, training=True)
        loss = error(energy - energy_labels) + error(forces - force_labels)
        adam.zero_grad(set_to_none=True)
        loss.backward()
        adam.step()
        return loss.detach()

    return step


def error(residual: torch.Tensor) -> torch.Tensor:
    """Err = RMSE + MAE."""
    return residual.square().mean().sqrt() + residual.abs().mean()
