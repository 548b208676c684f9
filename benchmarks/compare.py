"""One case: ours, hippynn's kernels and our reference path, on copied weights and in turns."""

from dataclasses import dataclass
from typing import cast

import torch

from benchmarks import hippynn_steps, limits, ours
from benchmarks.cases import Case
from benchmarks.sides import labels
from benchmarks.timing import Step, Times, agree, give_back, take_turns, warm_up


@dataclass(frozen=True)
class Row:
    """What was found of a case; times are seconds of a call."""

    key: str
    device: str
    atoms: int
    neighbours: float
    """Pairs of an atom within the cut-off, on average."""
    ours: Times
    hippynn: dict[str, Times]
    """By kernel."""
    reference: Times | None
    """With our reference path in place of the compiled kernels."""
    limit: float
    """The least time that the machine could take, s."""
    bar: float | None

    @property
    def kernel(self) -> str:
        """hippynn's fastest."""
        return min(self.hippynn, key=lambda name: self.hippynn[name].median)

    @property
    def ratio(self) -> float:
        """hippynn at its best / ours."""
        return self.hippynn[self.kernel].median / self.ours.median

    @property
    def missed(self) -> bool:
        """Whether less than what was asked for was reached."""
        return self.bar is not None and self.ratio < self.bar


@dataclass(frozen=True)
class Effort:
    """How long to measure."""

    budget: float
    least: int
    most: int
    full: bool
    """Whether our reference path and, where there is a bar, hippynn's compiled kernel take part."""


QUICK = Effort(budget=3, least=3, most=12, full=False)
FULL = Effort(budget=5, least=3, most=25, full=True)


def compare(
    case: Case,
    device: torch.device,
    machine: limits.Machine,
    effort: Effort,
    kernels: list[str] | None = None,
) -> Row:
    """Check that both sides agree, then time them.

    Args:
        case: what to do.
        device: where.
        machine: its limits.
        effort: how long.
        kernels: of hippynn, to choose the fastest of; None for all that there are.

    Raises:
        RuntimeError: they do not agree.
    """
    give_back()
    torch._dynamo.reset()  # hippynn's compiled kernel is compiled for the sizes of this case
    systems = case.systems()
    weights = hippynn_steps.modules(case.shape, case.species, device)
    given = hippynn_steps.inputs(systems, case.species, case.shape.hard_max, device)
    own = ours.potential(case.shape, case.species, weights, device)
    kernels = kernels or hippynn_steps.kernels(device, effort.full and case.bar is not None)
    if case.shape.n_interactions > 1 and "numba" in kernels:
        # Slower by half here, and in training short of memory.
        kernels = [name for name in kernels if name != "_pytorch_raw"]

    steps: dict[str, Step]
    if case.kind == "inference":
        steps = {"ours": ours.inference(own, systems)}
        steps |= {name: hippynn_steps.inference(weights, given, name) for name in kernels}
        found = {name: warm_up(step) for name, step in steps.items()}
    else:
        energies_and_forces = {"ours": ours.inference(own, systems)()}
        energies_and_forces[kernels[0]] = hippynn_steps.inference(weights, given, kernels[0])()
        agree(energies_and_forces["ours"], energies_and_forces[kernels[0]])
        wanted = labels(systems)
        steps = {"ours": ours.training_step(own, systems, wanted)}
        for name in kernels:
            steps[name] = hippynn_steps.training_step(weights, given, wanted, name)
        found = {name: (warm_up(step),) for name, step in steps.items()}
    for name in kernels:
        agree(cast(tuple, found["ours"]), cast(tuple, found[name]))
    del found
    if effort.full:
        steps["reference"] = ours.on_reference_path(steps["ours"])
        warm_up(steps["reference"])
    times = take_turns(steps, device, effort.budget, effort.least, effort.most, rivals=kernels)

    atoms = sum(len(system) for system in systems)
    neighbours = len(given.first) / atoms
    least = limits.work(case.shape, len(case.species), neighbours, case.kind == "training")
    return Row(
        key=case.key,
        device=device.type,
        atoms=atoms,
        neighbours=neighbours,
        ours=times["ours"],
        hippynn={name: times[name] for name in kernels if times[name].seconds},
        reference=times.get("reference"),
        limit=atoms * least.seconds(machine),
        bar=case.bar if device.type == "cpu" else case.gpu_bar,
    )
