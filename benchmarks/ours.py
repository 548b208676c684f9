"""Our engine as the benchmarks call it; no other file of theirs knows its insides."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from ase import Atoms
from ase.md.verlet import VelocityVerlet
from ase.units import fs

from benchmarks.hippynn_steps import LEARNING_RATE, Labels, Modules
from benchmarks.hippynn_twin import copy_weights
from mlipkd.config.model import Architecture
from mlipkd.config.recipe import Batch as BatchSize
from mlipkd.config.recipe import LossTerm, Optimiser, Recipe
from mlipkd.datasets.dataset import Dataset
from mlipkd.deploy.ase import MLIPKD
from mlipkd.hipnn.batch import Batch, Batcher
from mlipkd.hipnn.file import Potential, save_potential
from mlipkd.hipnn.network import HIPNN
from mlipkd.hipnn.prediction import evaluate, predict
from mlipkd.neighbours.chunks import evaluate as evaluate_one
from mlipkd.neighbours.verlet import VerletList
from mlipkd.testing import dataset_of
from mlipkd.training.loss import gradients, loss, residuals
from mlipkd.training.members import Members

WANTED = ("energy", "forces")
TERMS = [LossTerm(quantity=name, labels="reference", weight=1) for name in WANTED]
RECIPE = Recipe(
    loss=TERMS,
    optimiser=Optimiser(learning_rate=LEARNING_RATE, halve_after=1, stop_after=1, epochs=1),
    batch=BatchSize(configurations=1),
)
#: Of the list of a system that stands still, Å: it is kept, and holds no pair beyond the cut-off.
NO_SKIN = 1e-6

Inference = Callable[[], tuple[torch.Tensor, torch.Tensor]]


def potential(
    shape: Architecture, species: Sequence[int], weights: Modules, device: torch.device
) -> Potential:
    """A model with the weights of hippynn's."""
    model = HIPNN(shape, species)
    copy_weights(weights.network.cpu(), weights.energy.cpu(), model)
    weights.network.to(device)
    weights.energy.to(device)
    record = {"architecture": shape.model_dump(), "species": list(species)}
    return Potential(model.to(device).requires_grad_(False), record)


def inference(own: Potential, systems: Sequence[Atoms]) -> Inference:
    """A function that computes energies and forces of systems whose neighbours are known.

    One system goes the way of the ASE calculator: its neighbours are found in the first call, and
    later calls compute the vectors alone. Several are one batch with its vectors.
    """
    if len(systems) == 1:
        neighbours = _list(own)
        return lambda: _evaluate_one(own, neighbours, systems[0])
    batch = _batch(own, systems).to(own.device)
    return lambda: _evaluate(own, batch)


def inference_with_list(own: Potential, systems: Sequence[Atoms]) -> Inference:
    """The same, but each call finds the neighbours, too."""
    if len(systems) == 1:
        return lambda: _evaluate_one(own, _list(own), systems[0])
    dataset = _dataset(systems)

    def predicted() -> tuple[torch.Tensor, torch.Tensor]:
        found = predict(own, dataset, WANTED)
        return torch.from_numpy(found["energy"]), torch.from_numpy(found["forces"])

    return predicted


def training_step(
    own: Potential, systems: Sequence[Atoms], labels: Labels
) -> Callable[[], torch.Tensor]:
    """A function that does one step of Adam on Err(energy) + Err(forces) and returns the loss."""
    return packed_training_step([own], systems, labels)


def packed_training_step(
    members: Sequence[Potential], systems: Sequence[Atoms], labels: Labels
) -> Callable[[], torch.Tensor]:
    """A function that does one step of all members at once and returns the sum of their losses."""
    batch = _batch(members[0], systems).to(members[0].device)
    named = {
        ("reference", name): label.to(members[0].device)
        for name, label in zip(WANTED, labels, strict=True)
    }
    models = [own.model.requires_grad_(True) for own in members]
    together = Members(models, RECIPE)

    def step() -> torch.Tensor:
        model = together.model
        found, orders = residuals(model, batch, named, TERMS, training=True)
        losses = loss(0.0, [(1.0, residual) for residual in found], orders)
        together.step(gradients(losses, list(model.parameters())))
        return losses.sum().detach()

    return step


def dynamics(own: Potential, system: Atoms, folder: Path) -> Callable[[int], None]:
    """A function that does so many steps of NVE dynamics with the ASE calculator.

    Energies are scaled down: untrained weights do not hold a solid together, and would tear it
    apart. The atoms then fly freely, and their list is made anew rather too often than too rarely.

    Args:
        own: the model.
        system: positions and momenta to start from.
        folder: for the model file.
    """
    path = folder / "model.safetensors"
    weak = HIPNN(own.model.architecture, own.model.species)
    weak.load_state_dict(own.model.state_dict())
    with torch.no_grad():
        weak.w.mul_(1e-3)
    save_potential(Potential(weak, own.metadata), path)
    atoms = system.copy()
    atoms.calc = MLIPKD(str(path), own.device)
    return VelocityVerlet(atoms, timestep=1.0 * fs).run


def on_reference_path(step: Callable) -> Callable:
    """The step with plain PyTorch in place of the compiled kernels."""

    def reference():
        os.environ["MLIPKD_ENGINE"] = "reference"
        try:
            return step()
        finally:
            del os.environ["MLIPKD_ENGINE"]

    return reference


def _evaluate(own: Potential, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    found = evaluate(own.model, batch.to(own.device), WANTED)
    return found["energy"][0], found["forces"][0]


def _evaluate_one(
    own: Potential, neighbours: VerletList, system: Atoms
) -> tuple[torch.Tensor, torch.Tensor]:
    neighbours.update(system)
    found = evaluate_one(own.model, neighbours)
    return found["energy"], found["forces"][0]


def _list(own: Potential) -> VerletList:
    model = own.model
    cutoff = model.architecture.hard_max
    return VerletList(model.species, cutoff, NO_SKIN, own.dtype, own.device)


def _batch(own: Potential, systems: Sequence[Atoms]) -> Batch:
    cutoff = own.model.architecture.hard_max
    batcher = Batcher(_dataset(systems), own.model.species, cutoff, own.dtype)
    return batcher.batch(torch.arange(len(systems)))


def _dataset(systems: Sequence[Atoms]) -> Dataset:
    return dataset_of([(one.numbers, one.positions, one.cell.array) for one in systems])
