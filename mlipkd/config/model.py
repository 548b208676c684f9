"""Architectures: the shape of a model, and the grid that a family spans."""

import itertools
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mlipkd.config.section import Section

Layers = Annotated[int, Field(ge=1, le=8)]
AtomLayers = Annotated[int, Field(ge=0, le=16)]
Order = Literal[0, 1, 2]
Width = Annotated[int, Field(ge=1, le=4096)]
Sensitivities = Annotated[int, Field(ge=1, le=512)]
Distance = Annotated[float, Field(gt=0, le=50)]


class Repulsion(Section):
    """A repulsion of pairs closer than any in the data, fitted to the training configurations."""

    temperature: Annotated[float, Field(gt=0, le=100_000)]
    """Temperature of the training configurations, K: it turns frequencies of distances into
    energies."""


class Architecture(Section):
    """The shape of a HIP-NN-TS model. Symbols are those of docs/conventions.md."""

    n_interactions: Layers
    """Number of interaction layers, N_int."""
    l_max: Order
    """Highest order of an atom's surroundings: 0 distances, 1 vectors, 2 quadrupoles."""
    atom_layers: AtomLayers
    """Number of atom layers after each interaction layer, L."""
    width: Width
    """Features per atom, F."""
    sensitivities: Sensitivities
    """Radial sensitivity functions per interaction layer, K."""
    soft_min: Distance
    """Smallest initial sensitivity distance, Å."""
    soft_max: Distance
    """Largest initial sensitivity distance, Å."""
    hard_max: Distance
    """Cut-off: atoms farther apart than this do not interact directly, Å."""
    repulsion: Repulsion | None = Field(default=None, exclude_if=lambda value: value is None)
    """The repulsion at short distances."""

    @model_validator(mode="after")
    def _distances_ascend(self) -> Self:
        if not self.soft_min < self.soft_max <= self.hard_max:
            raise ValueError(
                f"expected soft_min < soft_max <= hard_max, got {self.soft_min}, {self.soft_max}, "
                f"{self.hard_max}; put them in ascending order"
            )
        return self

    @property
    def name(self) -> str:
        """The architecture as a folder name: only what may differ within a family."""
        return (
            f"n{self.n_interactions}-l{self.l_max}-a{self.atom_layers}"
            f"-w{self.width}-s{self.sensitivities}"
        )


class ModelGrid(Section):
    """The architectures of a family: a number, or a list of numbers to span a grid.

    Keys that are left out are taken from the dataset's `model`; a family that leaves out all of
    them has the architectures of the family that it learns from.
    """

    n_interactions: Layers | list[Layers] | None = None
    """Number of interaction layers, N_int."""
    l_max: Order | list[Order] | None = None
    """Highest order of an atom's surroundings: 0 distances, 1 vectors, 2 quadrupoles."""
    atom_layers: AtomLayers | list[AtomLayers] | None = None
    """Number of atom layers after each interaction layer, L."""
    width: Width | list[Width] | None = None
    """Features per atom, F."""
    sensitivities: Sensitivities | list[Sensitivities] | None = None
    """Radial sensitivity functions per interaction layer, K."""
    soft_min: Distance | None = None
    """Smallest initial sensitivity distance, Å."""
    soft_max: Distance | None = None
    """Largest initial sensitivity distance, Å."""
    hard_max: Distance | None = None
    """Cut-off, Å."""
    repulsion: Repulsion | None = None
    """The repulsion at short distances; none if neither family nor dataset has one."""

    def over(self, defaults: "ModelGrid") -> "ModelGrid":
        """This grid, with what it leaves out taken from ``defaults``."""
        return ModelGrid(
            **(defaults.model_dump(exclude_none=True) | self.model_dump(exclude_none=True))
        )

    def missing(self) -> list[str]:
        """The required keys that have no value."""
        values = self.model_dump(exclude={"repulsion"})
        return [key for key, value in values.items() if value is None]

    def architectures(self) -> list[Architecture]:
        """Every combination of the listed values, in the order they are written."""
        axes = {
            key: value if isinstance(value, list) else [value]
            for key, value in self.model_dump().items()
        }
        return [
            Architecture(**dict(zip(axes, values, strict=True)))
            for values in itertools.product(*axes.values())
        ]
