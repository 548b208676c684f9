"""Datasets: where configurations come from, how they are split, and what stands on them."""

from typing import Annotated, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from mlipkd.config.section import Section

Files = Annotated[list[str], Field(min_length=1)]
Fraction = Annotated[float, Field(gt=0, lt=1)]
EnergyUnit = Literal["eV", "meV", "Ha", "kcal/mol", "kJ/mol"]
LengthUnit = Literal["Å", "bohr", "nm"]


class AluminiumEMT(Section):
    """Aluminium boxes with the energies, forces and atomic energies of ASE's EMT potential."""

    reader: Literal["aluminium-emt"]
    configurations: PositiveInt = 320
    """How many configurations to make."""
    seed: int = 0
    """Seed of displacements, strains and velocities."""


class MoleculesXTB(Section):
    """Small CHNO molecules with the energies and forces of GFN2-xTB, sampled by hot dynamics."""

    reader: Literal["molecules-xtb"]
    configurations: PositiveInt = 1600
    """How many configurations to make, spread evenly over the molecules."""
    molecules: Annotated[tuple[str, ...], Field(min_length=1)] = ("CH3CH2OH",)
    """Molecules, by their names in ASE's G2 collection."""
    temperature: PositiveFloat = 1000.0
    """Temperature of the sampling, K."""
    seed: int = 0
    """Seed of the velocities and of the thermostat."""


class AniAl(Section):
    """The layout of the ANI-Al release: pyanitools groups with `cell` and `force` = +dE/dR."""

    reader: Literal["ani-al"]
    files: Files
    """Paths of the HDF5 files."""


class Ani1x(Section):
    """The layout of the ANI-1x/1ccx release: one group per formula, several levels of theory."""

    reader: Literal["ani1x"]
    files: Files
    """Paths of the HDF5 files."""
    energy: str
    """Energy key, e.g. `ccsd(t)_cbs.energy`; configurations without it are left out."""
    forces: str | None = None
    """Key of the true forces, e.g. `wb97x_dz.forces`; none if training must not see any."""


class Comp6(Section):
    """The layout of COMP6 v1: subset/molecule groups with `energies` and `forces` = +dE/dR."""

    reader: Literal["comp6"]
    files: Files
    """Paths of the HDF5 files."""


class AseFile(Section):
    """Anything ASE reads: extended XYZ, ASE databases, VASP and CP2K output, and so on."""

    reader: Literal["ase"]
    files: Files
    """Paths of the files."""
    energy_key: str = "energy"
    """Name of the energy in `info`, or `energy` for the calculator's own."""
    forces_key: str | None = "forces"
    """Name of the forces in `arrays`, `forces` for the calculator's own, or none."""
    energy_unit: EnergyUnit = "eV"
    """Unit of the energies as they stand in the file."""
    length_unit: LengthUnit = "Å"
    """Unit of the positions as they stand in the file."""
    force_sign: Literal[1, -1] = 1
    """1 if the file holds forces, -1 if it holds gradients."""
    group_key: str | None = None
    """Key in `info` that says which trajectory or molecule a configuration belongs to."""


AnySource = Annotated[
    AluminiumEMT | MoleculesXTB | AniAl | Ani1x | Comp6 | AseFile, Field(discriminator="reader")
]


class Split(Section):
    """How configurations are divided. The test split is one for all families and seeds."""

    test: Fraction = 0.2
    """Fraction of the configurations that nothing ever trains on."""
    validation: Fraction = 0.1
    """Fraction that decides on the learning rate, the end of training and the weights kept."""
    by: Literal["configuration", "group"] = "configuration"
    """Whether single configurations are drawn, or whole trajectories or molecules."""
    train: PositiveInt | None = None
    """Train on this many configurations at most; the rest of the pool is left unused."""
    seed: int = 0
    """Seed of the draw."""

    @model_validator(mode="after")
    def _something_left(self) -> Self:
        if self.test + self.validation >= 1:
            raise ValueError(
                f"wanted test + validation below 1, got {self.test + self.validation:g}; "
                "leave something to train on"
            )
        return self
