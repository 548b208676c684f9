"""Several students trained at once, against the same students trained one after the other."""

from dataclasses import dataclass

import torch

from benchmarks import hippynn_steps, ours
from benchmarks.cases import ALUMINIUM, STUDENT
from benchmarks.compare import Effort
from benchmarks.sides import labels
from benchmarks.systems import aluminium_boxes
from benchmarks.timing import Step, Times, take_turns, warm_up

#: Boxes of 108 atoms in a step.
SMALL, LARGE = 2, 8


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
    """Time both ways in turns."""
    systems = aluminium_boxes(boxes)
    wanted = labels(systems)

    def potentials() -> list:
        return [
            ours.potential(
                STUDENT, ALUMINIUM, hippynn_steps.modules(STUDENT, ALUMINIUM, device, seed), device
            )
            for seed in range(members)
        ]

    separate = [ours.training_step(own, systems, wanted) for own in potentials()]
    together = ours.packed_training_step(potentials(), systems, wanted)

    def one_after_the_other() -> None:
        for step in separate:
            step()

    steps: dict[str, Step] = {"separate": one_after_the_other}
    if together is not None:
        steps["packed"] = together
    for step in steps.values():
        warm_up(step)
    times = take_turns(steps, device, effort.budget, effort.least, effort.most)
    atoms = sum(len(system) for system in systems)
    return Packed(device.type, members, boxes, atoms, times["separate"], times.get("packed"))
