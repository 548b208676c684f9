"""Our engine as the benchmarks call it: no other file knows its insides."""

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
from mlipkd.config.recipe import BatchSize, LossTerm, Optimiser, Recipe
from mlipkd.datasets.dataset import Dataset
from mlipkd.deploy.ase import MLIPKD
from mlipkd.hipnn.batch import Batch, Batcher
from mlipkd.hipnn.file import Potential, save_potential
from mlipkd.hipnn.network import HIPNN
from mlipkd.hipnn.prediction import evaluate, predict
from mlipkd.neighbours.chunks import evaluate_system
from mlipkd.neighbours.verlet import VerletList
from mlipkd.testing import dataset_of
from mlipkd.training.data import Microbatch
from mlipkd.training.labels import TermLabels
from mlipkd.training.loss import loss, residuals, weight_gradients
from mlipkd.training.members import Members

QUANTITIES = ("energy", "forces")
TERMS = [LossTerm(quantity=name, labels="reference", weight=1) for name in QUANTITIES]
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


def inference(potential: Potential, systems: Sequence[Atoms]) -> Inference:
    """A function that computes energies and forces of systems whose neighbours are known.

    One system goes the way of the ASE calculator: its neighbours are found in the first call, and
    later calls compute only the vectors. Several are one batch with its vectors.
    """
    if len(systems) == 1:
        neighbours = _list(potential)
        return lambda: _evaluate_system(potential, neighbours, systems[0])
    batch = _batch(potential, systems).to(potential.device)
    return lambda: _evaluate(potential, batch)


def inference_with_list(potential: Potential, systems: Sequence[Atoms]) -> Inference:
    """The same, but each call finds the neighbours, too."""
    if len(systems) == 1:
        return lambda: _evaluate_system(potential, _list(potential), systems[0])
    dataset = _dataset(systems)

    def predicted() -> tuple[torch.Tensor, torch.Tensor]:
        labels = predict(potential, dataset, QUANTITIES)
        return torch.from_numpy(labels["energy"]), torch.from_numpy(labels["forces"])

    return predicted


def training_step(
    potential: Potential, systems: Sequence[Atoms], labels: Labels
) -> Callable[[], torch.Tensor]:
    """A function that does one step of Adam on Err(energy) + Err(forces) and returns the loss."""
    return packed_training_step([potential], systems, labels)


def packed_training_step(
    members: Sequence[Potential], systems: Sequence[Atoms], labels: Labels
) -> Callable[[], torch.Tensor]:
    """A function that does one step of all members at once and returns the sum of their losses."""
    device = members[0].device
    named = {
        term.name: TermLabels(label.to(device)) for term, label in zip(TERMS, labels, strict=True)
    }
    batch = _batch(members[0], systems).to(device)
    microbatch = Microbatch(batch, named, torch.arange(len(systems)))
    models = [member.model.requires_grad_(True) for member in members]
    together = Members(models, RECIPE)

    def step() -> torch.Tensor:
        model = together.model
        errors, orders = residuals(model, microbatch, TERMS, training=True)
        losses = loss(0.0, [(1.0, residual) for residual in errors], orders)
        together.step(weight_gradients(losses, list(model.parameters())))
        return losses.sum().detach()

    return step


def dynamics(potential: Potential, system: Atoms, folder: Path) -> Callable[[int], None]:
    """A function that does so many steps of NVE dynamics with the ASE calculator.

    Energies are scaled down: untrained weights do not hold a solid together, and would tear it
    apart. The atoms then fly freely, and their list is made anew rather too often than too rarely.

    Args:
        potential: the model.
        system: positions and momenta to start from.
        folder: for the model file.
    """
    path = folder / "model.safetensors"
    weak = HIPNN(potential.model.architecture, potential.model.species)
    weak.load_state_dict(potential.model.state_dict())
    with torch.no_grad():
        weak.w.mul_(1e-3)
    save_potential(Potential(weak, potential.metadata), path)
    atoms = system.copy()
    atoms.calc = MLIPKD(str(path), potential.device)
    return VelocityVerlet(atoms, timestep=1.0 * fs).run


def on_reference_engine(step: Callable) -> Callable:
    """The step with plain PyTorch in place of the compiled kernels."""

    def reference():
        os.environ["MLIPKD_ENGINE"] = "reference"
        try:
            return step()
        finally:
            del os.environ["MLIPKD_ENGINE"]

    return reference


def _evaluate(potential: Potential, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    outputs = evaluate(potential.model, batch.to(potential.device), QUANTITIES)
    return outputs["energy"][0], outputs["forces"][0]


def _evaluate_system(
    potential: Potential, neighbours: VerletList, system: Atoms
) -> tuple[torch.Tensor, torch.Tensor]:
    neighbours.update(system)
    outputs = evaluate_system(potential.model, neighbours)
    return outputs["energy"], outputs["forces"][0]


def _list(potential: Potential) -> VerletList:
    model = potential.model
    cutoff = model.architecture.hard_max
    return VerletList(model.species, cutoff, NO_SKIN, potential.dtype, potential.device)


def _batch(potential: Potential, systems: Sequence[Atoms]) -> Batch:
    cutoff = potential.model.architecture.hard_max
    batcher = Batcher(_dataset(systems), potential.model.species, cutoff, potential.dtype)
    return batcher.batch(torch.arange(len(systems)))


def _dataset(systems: Sequence[Atoms]) -> Dataset:
    return dataset_of([(system.numbers, system.positions, system.cell.array) for system in systems])
