"""Files that ASE reads, with labels of their own or of a calculator.

Molecules with Hessians: files of them, and reactions that make them.

Datasets: where configurations come from, how they are split, and what stands on them.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from mlipkd.config.functions import Calculator, OwnReader
from mlipkd.config.section import (
    EnergyUnit,
    Files,
    ForceUnit,
    HessianUnit,
    LengthUnit,
    Name,
    Section,
)
from mlipkd.config.simulation import outputs


class AseFile(Section):
    """Anything ASE reads: extended XYZ, ASE databases, VASP and CP2K output, and so on."""

    reader: Literal["ase"]
    files: Files
    """Paths of the files."""
    energy_key: str = "energy"
    """Name of the energy in `info`, or `energy` for the calculator's own."""
    forces_key: str | None = "forces"
    """Name of the forces in `arrays`, `forces` for the calculator's own, or none; an atom alone
    needs none."""
    stress_key: str | None = None
    """Name of the stress in `info`, 3 × 3 or Voigt's 6, or `stress` for the calculator's own;
    positive under tension."""
    virial_key: str | None = None
    """Name of the virial in `info`, 3 × 3 or Voigt's 6, which is − stress · volume."""
    energy_unit: EnergyUnit = "eV"
    """Unit of the energies as they stand in the file; forces, stresses and virials go with it."""
    length_unit: LengthUnit = "Å"
    """Unit of the positions as they stand in the file; forces and stresses go with it."""
    force_sign: Literal[1, -1] = 1
    """1 if the file holds forces, -1 if it holds gradients."""
    group_key: str | None = None
    """Key in `info` that says which trajectory or molecule a configuration belongs to."""
    calculator: Calculator | None = None
    """A reference method: it computes energies and forces, and labels of the files are not read."""
    hessian: bool = False
    """Compute Hessians with it, too; of free molecules."""

    @model_validator(mode="after")
    def _labels_of_the_files_or_of_the_calculator(self) -> Self:
        if self.calculator is None:
            if self.hessian:
                raise ValueError(
                    "expected a calculator beside hessian, as files that ASE reads hold none; name "
                    "one, or remove hessian"
                )
            return self
        defaults = type(self)(reader="ase", files=self.files)
        keys = ("energy_key", "forces_key", "stress_key", "virial_key", "energy_unit", "force_sign")
        if given := [key for key in keys if getattr(self, key) != getattr(defaults, key)]:
            raise ValueError(
                f"expected no {', '.join(given)} beside a calculator, whose labels stand in the "
                "place of the files' own; remove either"
            )
        return self

    @model_validator(mode="after")
    def _stress_or_virial(self) -> Self:
        if self.stress_key and self.virial_key:
            raise ValueError(
                "expected stress_key or virial_key, which say the same, got both; remove one"
            )
        return self


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
                f"expected reactions that differ, got {list(self.reactions)}; keep one of each"
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
                f"expected a simulation or files, got {', '.join(given)} beside the "
                "simulation, which has its own; remove one"
            )
        if not self.simulation and len(given) < len(own):
            raise ValueError(
                "expected either a simulation, or topology, files and temperature; give either"
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
                f"expected test + validation below 1, got {self.test + self.validation:g}; "
                "leave something to train on"
            )
        return self
