"""Molecules with Hessians: files of them, and reactions that make them."""

from typing import Annotated, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from mlipkd.config.calculator import Calculator
from mlipkd.config.files import EnergyUnit, Files, ForceUnit, HessianUnit, LengthUnit
from mlipkd.config.section import Name, Section

Reaction = Literal[
    "acetaldehyde",
    "ammonia",
    "formaldehyde",
    "formamide",
    "formic-acid",
    "hydrogen-cyanide",
    "malonaldehyde",
    "nitrous-acid",
]


class Reactions(Section):
    """Reactants, products and transition states of small reactions with the energies, forces and
    Hessians of a calculator, and normal-mode samples around them."""

    reader: Literal["reactions"]
    calculator: Calculator = Calculator(
        type="tblite.ase:TBLite",
        options={"method": "GFN2-xTB", "accuracy": 0.01, "verbosity": 0},
    )
    """The method that they are found, verified and sampled with."""
    reactions: Annotated[tuple[Reaction, ...], Field(min_length=1)] = (
        "hydrogen-cyanide",
        "formaldehyde",
        "formamide",
        "formic-acid",
        "acetaldehyde",
        "malonaldehyde",
    )
    """Rearrangements, by the name of one of their molecules."""
    near: PositiveInt = 20
    """Samples of the kind `near` around each stationary point."""
    temperature: PositiveFloat = 300.0
    """Temperature of these, K."""
    far: PositiveInt = 10
    """Samples of the kind `far` around each stationary point."""
    far_temperature: PositiveFloat = 1500.0
    """Temperature of these, K."""
    seed: int = 0
    """Seed of the samples."""

    @property
    def configurations(self) -> int:
        """How many configurations that makes."""
        return 3 * len(self.reactions) * (1 + self.near + self.far)

    @model_validator(mode="after")
    def _reactions_differ(self) -> Self:
        if len(set(self.reactions)) < len(self.reactions):
            raise ValueError(
                f"wanted reactions that differ, got {list(self.reactions)}; keep one of each"
            )
        return self


class OpenReact(Section):
    """The layout of OpenREACT-CHON-EFH: groups of free molecules with `energies`, `forces` and
    `hessian`."""

    reader: Literal["openreact"]
    files: Files | Annotated[dict[Name, Files], Field(min_length=1)]
    """Paths of the HDF5 files; or such lists by the kind of their configurations, as
    `{rtp: [molecules-RTP.h5], nms: [molecules-NMS.h5]}`."""
    energy_unit: EnergyUnit = "Ha"
    """Unit of the energies as they stand in the files."""
    length_unit: LengthUnit = "Å"
    """Unit of the positions as they stand in the files."""
    force_unit: ForceUnit = "Ha/Å"
    """Unit of the forces as they stand in the files."""
    hessian_unit: HessianUnit = "Ha/Å^2"
    """Unit of the Hessians as they stand in the files."""
    force_sign: Literal[1, -1] = 1
    """1 if the files hold forces, -1 if they hold gradients."""
