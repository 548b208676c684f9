"""One side of a case, ready to be called: ours, or hippynn with a kernel."""

from collections.abc import Sequence
from typing import Literal

import torch
from ase import Atoms

from benchmarks import hippynn_steps, ours
from benchmarks.cases import Case
from benchmarks.timing import Step

Side = Literal["ours", "hippynn"]


def labels(systems: Sequence[Atoms]) -> hippynn_steps.Labels:
    """Energies (systems,) and forces (atoms, 3) to train on: random numbers."""
    generator = torch.Generator().manual_seed(0)
    energies = torch.randn(len(systems), generator=generator, dtype=torch.float64)
    atoms = sum(len(system) for system in systems)
    return energies, torch.randn(atoms, 3, generator=generator, dtype=torch.float64)


def step(
    side: Side,
    case: Case,
    systems: Sequence[Atoms],
    device: torch.device,
    kernel: str = hippynn_steps.AS_INSTALLED,
    finds_neighbours: bool = False,
) -> Step:
    """Inference on the systems, or a step of training, as the case says.

    Args:
        side: whose.
        case: gives the model and the kind of work.
        systems: what to work on.
        device: where.
        kernel: of hippynn.
        finds_neighbours: whether each call of inference finds the neighbours, too.
    """
    weights = hippynn_steps.modules(case.shape, case.species, device)
    if side == "ours":
        own = ours.potential(case.shape, case.species, weights, device)
        if case.kind == "training":
            return ours.training_step(own, systems, labels(systems))
        if finds_neighbours:
            return ours.inference_with_list(own, systems)
        return ours.inference(own, systems)

    def given() -> hippynn_steps.Inputs:
        return hippynn_steps.inputs(systems, case.species, case.shape.hard_max, device)

    if case.kind == "training":
        return hippynn_steps.training_step(weights, given(), labels(systems), kernel)
    if finds_neighbours:
        return lambda: hippynn_steps.inference(weights, given(), kernel)()
    return hippynn_steps.inference(weights, given(), kernel)
