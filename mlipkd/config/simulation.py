"""All-atom simulations, from which coarse-grained force fields are learned."""

from typing import Annotated, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from mlipkd.config.section import Name, Section

#: Where interactions are cut off, Å; the box is more than twice as wide.
CUTOFF = 12.0


class Molecule(Section):
    """A kind of molecule in the box."""

    number: PositiveInt
    """Number of molecules."""
    structure: str
    """Path of a .gro or .pdb file with such a molecule, and possibly others."""
    residue: Name | None = None
    """Its residue in that file, of which the first is taken; the molecule's name if left out."""


class Annealing(Section):
    """A hot phase before the equilibration: a packed box of a viscous liquid relaxes far sooner."""

    temperature: PositiveFloat
    """Temperature, K."""
    duration: PositiveFloat
    """Duration, ps."""


class Simulation(Section):
    """Molecules packed by packmol, minimised, equilibrated and sampled by GROMACS in the NVT
    ensemble: Nosé–Hoover thermostat, bonds with hydrogen constrained, PME, cut-offs of 12 Å."""

    molecules: Annotated[dict[Name, Molecule], Field(min_length=1)]
    """The molecules, by the names that the topology's `[ moleculetype ]` gives them."""
    topology: str
    """Path of a GROMACS topology (.top); its `[ system ]` and `[ molecules ]` are not used."""
    includes: list[str] = []  # noqa: RUF012 (pydantic copies it)
    """Paths of all files that it includes from its folder; those of GROMACS are not named."""
    box: Annotated[float, Field(ge=2 * CUTOFF)] | None = None
    """Edge of the cubic box, Å."""
    density: PositiveFloat | None = None
    """Density in g/cm³, in place of the edge."""
    temperature: PositiveFloat
    """Temperature, K."""
    timestep: PositiveFloat = 2.0
    """Time step, fs."""
    annealing: Annealing | None = None
    """A hot phase before the equilibration; none if left out."""
    equilibration: PositiveFloat = 5000.0
    """Time at the temperature before the first frame, ps."""
    sampling: PositiveFloat = 1000.0
    """Time from the first frame to the last, ps."""
    frame_every: PositiveFloat = 1.0
    """Time from one frame to the next, ps."""
    seed: Annotated[int, Field(ge=0, le=2**31 - 2)] = 0
    """Seed of the packing, the velocities and the annealing's thermostat."""

    def steps(self, duration: float) -> int:
        """Number of steps of a duration in ps."""
        return max(1, round(duration * 1e3 / self.timestep))

    @property
    def files(self) -> list[str]:
        """The paths of all files that it is made from."""
        structures = [molecule.structure for molecule in self.molecules.values()]
        return list(dict.fromkeys([self.topology, *self.includes, *structures]))

    @model_validator(mode="after")
    def _box_or_density(self) -> Self:
        if (self.box is None) == (self.density is None):
            raise ValueError("expected either box or density; give exactly one of them")
        return self

    @model_validator(mode="after")
    def _frames_fit(self) -> Self:
        if not self.timestep * 1e-3 <= self.frame_every <= self.sampling:
            raise ValueError(
                f"expected frame_every between the timestep of {self.timestep:g} fs and the "
                f"sampling of {self.sampling:g} ps, got {self.frame_every:g} ps; sample longer, or "
                "take frames more often"
            )
        return self
