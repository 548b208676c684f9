"""What is compared in this process, in turns.

A case: ours, hippynn's kernels and our reference engine, with the same weights. Beside it, with our
engine alone: several students trained at once against one after the other, a step of molecular
dynamics against the force call in it, and the operations that take most of a step's time.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from ase.units import kB
from torch.profiler import ProfilerActivity

from benchmarks import hippynn_steps, limits, ours
from benchmarks.cases import ALUMINIUM, STUDENT, Case, aluminium_boxes
from benchmarks.contenders import random_labels, step
from benchmarks.timing import Step, Times, agree, call_time, give_back, take_turns, warm_up

#: Boxes of 108 atoms in a step of several students.
FEW_BOXES, MANY_BOXES = 2, 8
#: Temperature of the velocities in dynamics, K.
TEMPERATURE = 300.0
#: Steps of dynamics and force calls that are timed; a list lasts for about half as many steps.
DYNAMICS_STEPS, FORCE_CALLS = 64, 8
#: Steps profiled, and operations shown.
PROFILED_STEPS, OPERATIONS_SHOWN = 3, 10


@dataclass(frozen=True)
class Row:
    """The times of a case, in seconds of a call."""

    key: str
    device: str
    atoms: int
    neighbours: float
    """Pairs of an atom within the cut-off, on average."""
    ours: Times
    hippynn: dict[str, Times]
    """By kernel."""
    reference: Times | None
    """With our reference engine in place of the compiled kernels."""
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
        """Whether the ratio is known to be below the bar."""
        return self.bar is not None and self.ratio < self.bar


@dataclass(frozen=True)
class Effort:
    """How long to measure."""

    budget: float
    least: int
    most: int
    full: bool
    """Whether to time our reference engine, and hippynn's compiled kernel if there is a bar."""


QUICK = Effort(budget=3, least=3, most=12, full=False)
FULL = Effort(budget=5, least=3, most=25, full=True)


def compare(
    case: Case,
    device: torch.device,
    machine: limits.Machine,
    effort: Effort,
    kernels: list[str] | None = None,
) -> Row:
    """Check that both contenders agree, then time them.

    Args:
        case: the case to measure.
        device: the device to compute on.
        machine: the limits of that device.
        effort: how long to measure.
        kernels: hippynn's kernels to choose the fastest of; None for all that are installed.

    Raises:
        RuntimeError: the contenders' energies and forces differ.
    """
    give_back()
    torch._dynamo.reset()  # hippynn's compiled kernel is compiled for the sizes of this case
    systems = case.systems()
    weights = hippynn_steps.modules(case.shape, case.species, device)
    inputs = hippynn_steps.inputs(systems, case.species, case.shape.hard_max, device)
    potential = ours.potential(case.shape, case.species, weights, device)
    kernels = kernels or hippynn_steps.kernels(device, effort.full and case.bar is not None)
    if case.shape.n_interactions > 1 and "numba" in kernels:
        # Slower by half here, and in training short of memory.
        kernels = [name for name in kernels if name != "_pytorch_raw"]

    steps: dict[str, Step]
    if case.kind == "inference":
        steps = {"ours": ours.inference(potential, systems)}
        steps |= {name: hippynn_steps.inference(weights, inputs, name) for name in kernels}
        results = {name: warm_up(each) for name, each in steps.items()}
    else:
        energies_and_forces = {"ours": ours.inference(potential, systems)()}
        energies_and_forces[kernels[0]] = hippynn_steps.inference(weights, inputs, kernels[0])()
        agree(energies_and_forces["ours"], energies_and_forces[kernels[0]])
        labels = random_labels(systems)
        steps = {"ours": ours.training_step(potential, systems, labels)}
        for name in kernels:
            steps[name] = hippynn_steps.training_step(weights, inputs, labels, name)
        results = {name: (warm_up(each),) for name, each in steps.items()}
    for name in kernels:
        agree(cast(tuple, results["ours"]), cast(tuple, results[name]))
    del results
    if effort.full:
        steps["reference"] = ours.on_reference_engine(steps["ours"])
        warm_up(steps["reference"])
    times = take_turns(steps, device, effort.budget, effort.least, effort.most, rivals=kernels)

    atoms = sum(len(system) for system in systems)
    neighbours = len(inputs.first) / atoms
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


@dataclass(frozen=True)
class Packed:
    """Seconds of a step of all members."""

    device: str
    members: int
    boxes: int
    atoms: int
    separate: Times
    packed: Times | None
    """None where there is no way to train them at once."""

    @property
    def ratio(self) -> float | None:
        """Separate / packed."""
        return self.separate.median / self.packed.median if self.packed else None


def packed(members: int, boxes: int, device: torch.device, effort: Effort) -> Packed:
    """Time several students trained at once, and the same students one after the other."""
    systems = aluminium_boxes(boxes)
    labels = random_labels(systems)

    def potentials() -> list:
        return [
            ours.potential(
                STUDENT, ALUMINIUM, hippynn_steps.modules(STUDENT, ALUMINIUM, device, seed), device
            )
            for seed in range(members)
        ]

    separate = [ours.training_step(potential, systems, labels) for potential in potentials()]
    together = ours.packed_training_step(potentials(), systems, labels)

    def one_after_the_other() -> None:
        for each in separate:
            each()

    steps: dict[str, Step] = {"separate": one_after_the_other}
    if together is not None:
        steps["packed"] = together
    for each in steps.values():
        warm_up(each)
    times = take_turns(steps, device, effort.budget, effort.least, effort.most)
    atoms = sum(len(system) for system in systems)
    return Packed(device.type, members, boxes, atoms, times["separate"], times.get("packed"))


@dataclass(frozen=True)
class Dynamics:
    """Seconds of a step through the ASE calculator, and of a call for energy and forces."""

    key: str
    device: str
    step: float
    call: float


def dynamics(case: Case, device: torch.device) -> Dynamics:
    """Time a step of dynamics and the force call in it.

    The call knows its neighbours within the cut-off; a step has its share of the Verlet list, its
    further pairs, and the integrator.
    """
    (system,) = case.systems()
    normal = np.random.default_rng(0).normal(size=(len(system), 3))  # (atoms, 3)
    system.set_momenta(normal * np.sqrt(system.get_masses()[:, None] * kB * TEMPERATURE))
    weights = hippynn_steps.modules(case.shape, case.species, device)
    potential = ours.potential(case.shape, case.species, weights, device)
    force_call = ours.inference(potential, [system])
    with tempfile.TemporaryDirectory() as folder:
        run = ours.dynamics(potential, system, Path(folder))
        run(1)
        force_call()
        seconds = call_time(lambda: run(DYNAMICS_STEPS), 1, device) / DYNAMICS_STEPS
        return Dynamics(case.key, device.type, seconds, call_time(force_call, FORCE_CALLS, device))


@dataclass(frozen=True)
class Share:
    """One kind of operation in a step."""

    name: str
    part: float
    """Of the time of all operations, without the operations that it calls."""
    calls: float
    """In a step."""


def profile(case: Case, device: torch.device) -> list[Share]:
    """The operations of one of our steps that take most time, the largest first."""
    called = step("ours", case, case.systems(), device)
    called()
    gpu = device.type == "cuda"
    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if gpu else [])
    with torch.profiler.profile(activities=activities) as profiler:
        for _ in range(PROFILED_STEPS):
            called()
    name = "self_device_time_total" if gpu else "self_cpu_time_total"
    events = [(getattr(event, name), event) for event in profiler.key_averages()]
    total = sum(seconds for seconds, _ in events)
    events.sort(key=lambda pair: -pair[0])
    return [
        Share(event.key, seconds / total, event.count / PROFILED_STEPS)
        for seconds, event in events[:OPERATIONS_SHOWN]
    ]
