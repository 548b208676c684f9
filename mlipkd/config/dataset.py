"""Datasets: where configurations come from, how they are split, and what stands on them."""

from typing import Annotated, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from mlipkd.config.ase_file import AseFile
from mlipkd.config.files import Files, ForceUnit, LengthUnit
from mlipkd.config.molecules import OpenReact, Reactions
from mlipkd.config.own import OwnReader
from mlipkd.config.section import Name, Section
from mlipkd.config.simulation import outputs

Fraction = Annotated[float, Field(gt=0, lt=1)]


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
    force_sign: Literal[1, -1] = -1
    """-1 if the file holds gradients, as COMP6 does; 1 if others wrote forces in its layout."""


class Frames(Section):
    """What frames of molecular dynamics with beads have in common."""

    blocks: PositiveInt = 20
    """How many runs of consecutive frames each file is cut into; each is a group for the split,
    since frames near in time are alike."""


class Trajectory(Frames):
    """Dynamics of all atoms with their forces, mapped to beads at their centres of mass."""

    reader: Literal["trajectory"]
    simulation: Name | None = None
    """One of the campaign's simulations, in the place of topology, files and temperature."""
    topology: str | None = None
    """Path of a topology that MDAnalysis reads and that holds masses, as a .tpr does."""
    files: Files | None = None
    """Paths of trajectories with forces, as a .trr holds them, all in one box of constant size."""
    temperature: PositiveFloat | None = None
    """Temperature of the dynamics, K; sign and unit of the forces are checked by it."""
    beads: Annotated[dict[Name, str], Field(min_length=1)]
    """The beads in the order of their species: the atoms of each, as a selection of MDAnalysis.
    What a selection takes of one residue is one bead; every atom belongs to exactly one bead."""
    every: PositiveInt = 1
    """Read each so many-th frame."""

    @model_validator(mode="after")
    def _simulation_or_files(self) -> Self:
        own = {"topology": self.topology, "files": self.files, "temperature": self.temperature}
        given = [key for key, value in own.items() if value is not None]
        if self.simulation and given:
            raise ValueError(
                f"wanted a simulation or files, got {', '.join(given)} beside the "
                "simulation, which has its own; remove one"
            )
        if not self.simulation and len(given) < len(own):
            raise ValueError(
                "wanted either a simulation, or topology, files and temperature; give either"
            )
        return self

    def simulated(self, temperature: float) -> Self:
        """The same with the files of its simulation, and the temperature that was at, K."""
        topology, *files = paths_of(self)
        own = self.model_dump(exclude={"simulation", "topology", "files", "temperature"})
        return type(self)(**own, topology=topology, files=files, temperature=temperature)


class Mapped(Frames):
    """Frames mapped before, which say no temperature."""

    temperature: PositiveFloat
    """Temperature of the dynamics, K; sign and unit of the forces are checked by it."""


class MappedHDF5(Mapped):
    """Frames mapped before: HDF5 with `positions`, `forces`, `species`, `mass` and `box`."""

    reader: Literal["mapped-hdf5"]
    files: Files
    """Paths of the HDF5 files."""
    group: str = "cg"
    """The group that holds the arrays."""
    beads: Annotated[list[Name], Field(min_length=1)]
    """Names of the species 1, 2, … of the file."""
    force_unit: ForceUnit
    """Unit of the forces as they stand in the file."""
    length_unit: LengthUnit = "Å"
    """Unit of positions and box as they stand in the file."""


class MappedNumPy(Mapped):
    """One molecule's frames, mapped before, without a box: two arrays (frames, beads, 3)."""

    reader: Literal["mapped-numpy"]
    positions: str
    """Path of the positions, .npy."""
    forces: str
    """Path of the forces, .npy."""
    beads: Annotated[dict[Name, PositiveFloat], Field(min_length=1)]
    """Mass in u of each bead, in the order of the arrays; each is a species of its own."""
    force_unit: ForceUnit
    """Unit of the forces as they stand in the file."""
    length_unit: LengthUnit = "Å"
    """Unit of the positions as they stand in the file."""


class Pooled(Section):
    """Other datasets of the campaign as one: several states of a liquid, say.

    A configuration stays in the split in which it is there, so that what one of them tests on,
    nothing trains on here."""

    reader: Literal["pooled"]
    datasets: Annotated[list[Name], Field(min_length=2)]
    """Names of the datasets, with the same labels and, if there are any, the same beads."""


AnySource = Annotated[
    AluminiumEMT
    | MoleculesXTB
    | Reactions
    | AniAl
    | Ani1x
    | Comp6
    | OpenReact
    | AseFile
    | OwnReader
    | Trajectory
    | MappedHDF5
    | MappedNumPy
    | Pooled,
    Field(discriminator="reader"),
]


def paths_of(source: AnySource) -> list[str]:
    """The paths of all files that a source is read from."""
    match source:
        case AluminiumEMT() | MoleculesXTB() | Reactions():
            return []
        case OpenReact():
            kinds = source.files if isinstance(source.files, dict) else {"": source.files}
            return [path for paths in kinds.values() for path in paths]
        case Trajectory(topology=str(topology), files=list(files)):
            return [topology, *files]
        case Trajectory():
            assert source.simulation is not None  # or there are files
            return outputs(source.simulation)
        case MappedNumPy():
            return [source.positions, source.forces]
        case Pooled():
            return [f"results/{name}/dataset.h5" for name in source.datasets]
    return source.files


def has_hessians(source: AnySource) -> bool:
    """Whether a source has reference Hessians."""
    match source:
        case OpenReact() | Reactions():
            return True
        case AseFile():
            return source.hessian
    return False


class Split(Section):
    """How configurations are divided. The test split is one for all families and seeds."""

    test: Fraction = 0.2
    """Fraction of the configurations that nothing ever trains on."""
    validation: Fraction = 0.1
    """Fraction that decides on the learning rate, the end of training and the weights kept."""
    by: Literal["configuration", "group"] = "configuration"
    """Whether single configurations are drawn, or whole trajectories or molecules."""
    held_out: tuple[Name, ...] = ()
    """Kinds of configurations that all belong to the test split, such as `far`; the fractions are
    of the others, and copies of what is held out go with it."""
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
