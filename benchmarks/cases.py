"""The cases: which model does what to which systems, and the ratio that is asked for.

A teacher and a student of aluminium, with one interaction layer and directions; and a model of
molecules of C, H, N and O, with two interaction layers and quadrupoles.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from ase import Atoms

from benchmarks.systems import CHNO, aluminium, aluminium_boxes, molecules
from mlipkd.config.model import Architecture

ALUMINIUM = (13,)


def _aluminium(width: int, sensitivities: int) -> Architecture:
    return Architecture(
        n_interactions=1,
        l_max=1,
        atom_layers=4,
        width=width,
        sensitivities=sensitivities,
        soft_min=1.5,
        soft_max=7.0,
        hard_max=7.5,
    )


TEACHER, STUDENT = _aluminium(128, 40), _aluminium(32, 16)
MOLECULES = Architecture(
    n_interactions=2,
    l_max=2,
    atom_layers=4,
    width=128,
    sensitivities=20,
    soft_min=0.75,
    soft_max=5.5,
    hard_max=6.5,
)


@dataclass(frozen=True)
class Case:
    """One row of the tables."""

    key: str
    kind: Literal["inference", "training"]
    """Energy and forces, or a step of training on both."""
    shape: Architecture
    species: tuple[int, ...]
    systems: Callable[[], list[Atoms]]
    bar: float | None = None
    """hippynn's time at its best divided by ours: what is asked for."""
    gpu_bar: float | None = None
    """The same on a GPU."""

    @property
    def quick(self) -> bool:
        """Whether the quick run has it, too."""
        return self.bar is not None

    @property
    def alone(self) -> bool:
        """Whether it is ours alone, too large for hippynn."""
        return self.key.endswith("00000")


def _crystal(
    model: str, shape: Architecture, atoms: int, bar: float | None = None, gpu: float | None = None
) -> Case:
    key = f"al_{model}_inference_{atoms}"
    return Case(key, "inference", shape, ALUMINIUM, lambda: [aluminium(atoms)], bar, gpu)


def _boxes(model: str, shape: Architecture, boxes: int, bar: float, gpu: float) -> Case:
    systems = partial(aluminium_boxes, boxes)
    return Case(f"al_{model}_train", "training", shape, ALUMINIUM, systems, bar, gpu)


def _molecules(
    kind: Literal["inference", "training"],
    number: int,
    bar: float | None = None,
    gpu: float | None = None,
) -> Case:
    key = f"chno_{'train' if kind == 'training' else kind}_{number}"
    return Case(key, kind, MOLECULES, CHNO, partial(molecules, number), bar, gpu)


CASES = {
    case.key: case
    for case in (
        _crystal("teacher", TEACHER, 108),
        _crystal("teacher", TEACHER, 2048, 9, 5),
        _crystal("teacher", TEACHER, 18634, 9, 5),
        _crystal("teacher", TEACHER, 100000),
        _crystal("teacher", TEACHER, 1000000),
        _crystal("student", STUDENT, 108),
        _crystal("student", STUDENT, 2048, 9, 5),
        _crystal("student", STUDENT, 18634),
        _crystal("student", STUDENT, 100000),
        _crystal("student", STUDENT, 1000000),
        _boxes("teacher", TEACHER, 16, 9, 4),
        _boxes("student", STUDENT, 8, 9, 4),
        _molecules("inference", 128, 8.5, 5),
        _molecules("inference", 512),
        _molecules("training", 128, 8.5, 4),
    )
}
