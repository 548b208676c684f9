"""The contenders in a case, ours and hippynn with one of its kernels, each as a step to call."""

from collections.abc import Sequence
from typing import Literal

import torch
from ase import Atoms

from benchmarks import hippynn_steps, ours
from benchmarks.cases import Case
from benchmarks.timing import Step

Contender = Literal["ours", "hippynn"]


def random_labels(systems: Sequence[Atoms]) -> hippynn_steps.Labels:
    """Energies (systems,) and forces (atoms, 3) to train on: random numbers."""
    generator = torch.Generator().manual_seed(0)
    energies = torch.randn(len(systems), generator=generator, dtype=torch.float64)
    atoms = sum(len(system) for system in systems)
    return energies, torch.randn(atoms, 3, generator=generator, dtype=torch.float64)


def step(
    contender: Contender,
    case: Case,
    systems: Sequence[Atoms],
    device: torch.device,
    kernel: str = hippynn_steps.AS_INSTALLED,
    finds_neighbours: bool = False,
) -> Step:
    """Inference on the systems, or a step of training, as the case says.

    Args:
        contender: whose step it is.
        case: gives the model and the kind of work.
        systems: the systems to compute.
        device: the device to compute on.
        kernel: hippynn's kernel.
        finds_neighbours: whether each call of inference finds the neighbours, too.
    """
    weights = hippynn_steps.modules(case.shape, case.species, device)
    if contender == "ours":
        potential = ours.potential(case.shape, case.species, weights, device)
        if case.kind == "training":
            return ours.training_step(potential, systems, random_labels(systems))
        if finds_neighbours:
            return ours.inference_with_list(potential, systems)
        return ours.inference(potential, systems)

    def inputs() -> hippynn_steps.Inputs:
        return hippynn_steps.inputs(systems, case.species, case.shape.hard_max, device)

    if case.kind == "training":
        return hippynn_steps.training_step(weights, inputs(), random_labels(systems), kernel)
    if finds_neighbours:
        return lambda: hippynn_steps.inference(weights, inputs(), kernel)()
    return hippynn_steps.inference(weights, inputs(), kernel)
