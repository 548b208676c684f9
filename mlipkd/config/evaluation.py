"""Distributions: which are taken of liquids, and how finely.

Evaluations: the questions put to members and ensembles.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from mlipkd.config.section import Ascending, Name, Section

Width = Annotated[float, Field(ge=0.01)]


def _whole(length: float, width: float) -> bool:
    """Whether a length is a whole number of widths, as far as decimal fractions can tell."""
    bins = length / width
    return round(bins) > 0 and abs(bins - round(bins)) < 1e-6


class RadialDistributions(Section):
    """RDF: g(r) of every pair of species."""

    cutoff: PositiveFloat = 15.0
    """How far it reaches, Å; at most half of the box, and a whole number of bins."""
    bin: Width = 0.1
    """Width of the bins, Å."""

    @model_validator(mode="after")
    def _bins_fit(self) -> Self:
        if not _whole(self.cutoff, self.bin):
            raise ValueError(
                f"expected a cutoff that is a whole number of bins, got {self.cutoff:g} Å with "
                f"bins of {self.bin:g} Å; change one of them"
            )
        return self


class AngularDistributions(Section):
    """ADF: the angles at which two neighbours are seen, of every triplet of species."""

    cutoffs: Annotated[tuple[PositiveFloat, ...], Field(min_length=1), Ascending]
    """How far neighbours are at most, Å, ascending; there is an ADF for each cut-off."""
    bin: Annotated[float, Field(ge=0.1)] = 1.0
    """Width of the bins, degrees; 180° are a whole number of them."""

    @model_validator(mode="after")
    def _bins_fit(self) -> Self:
        if not _whole(180, self.bin):
            raise ValueError(
                f"expected bins of which 180° are a whole number, got {self.bin:g}°; change bin"
            )
        return self


class ClusterDistributions(Section):
    """CDF: the distances at which clusters of each species merge, by single linkage."""

    bin: Width = 0.1
    """Width of the bins, Å."""
    windows: PositiveInt = 5
    """Into how many parts the trajectory is cut, each with a CDF of its own beside the whole's."""


class DistributionsEvaluation(Section):
    """Distributions of a liquid, beside those of the reference; for `evaluate-distributions`."""

    rdf: RadialDistributions = RadialDistributions()
    """g(r) of every pair of species."""
    adf: AngularDistributions
    """Angles of every triplet of species."""
    cdf: ClusterDistributions = ClusterDistributions()
    """Merge distances of every species."""


class CostEvaluation(Section):
    """Time per step of molecular dynamics and memory, per atom."""

    atoms: PositiveInt = 500
    """Atoms of the system at least; configurations of the test split are repeated to reach it."""
    steps: PositiveInt = 10
    """Steps of dynamics that are timed, in each of the repeats."""
    timestep: PositiveFloat = 1.0
    """Time step, fs."""
    growth: Annotated[tuple[PositiveInt, ...], Ascending] = ()
    """Other sizes to measure time and memory at, atoms at least, ascending. Fewer steps are timed
    of larger systems; a size that does not fit into memory is left out."""


class StabilityEvaluation(Section):
    """How many NVE trajectories of a liquid end in a collision of atoms."""

    molecule: str = "CH3ONO"
    """The liquid's molecule, by its name in ASE's G2 collection."""
    molecules: PositiveInt = 448
    """How many of them are in the periodic box."""
    density: PositiveFloat = 0.99
    """Density, g/cm³; 0.99 is about that of liquid methyl nitrite, CH3ONO."""
    temperature: PositiveFloat = 300.0
    """Temperature of the first velocities, K."""
    timesteps: Annotated[tuple[PositiveFloat, ...], Field(min_length=1)] = (0.5, 1.0, 2.0)
    """Time steps, each of which all runs are made with, fs."""
    runs: PositiveInt = 10
    """Runs of each member at each time step, each with velocities of its own."""
    duration: PositiveFloat = 10.0
    """Length of a run that does not fail, ps."""
    closest: PositiveFloat = 0.5
    """A run in which two atoms come closer has failed, Å."""
    engine: Literal["auto", "ase", "torch-sim"] = "auto"
    """What integrates: torch-sim all runs of a member in one batch, ASE one after the other."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the packing and of the velocities."""

    @model_validator(mode="after")
    def _timesteps_differ_and_fit(self) -> Self:
        if len(set(self.timesteps)) < len(self.timesteps):
            raise ValueError(
                f"expected timesteps that differ, got {list(self.timesteps)}; keep one of each"
            )
        if max(self.timesteps) > self.duration * 1e3:
            raise ValueError(
                f"expected timesteps up to the duration of {self.duration * 1e3:g} fs, got "
                f"{max(self.timesteps):g}; make runs longer"
            )
        return self


class Melting(Section):
    """How a crystal becomes a liquid."""

    temperature: PositiveFloat = 3000.0
    """Far above the melting point, K."""
    duration: PositiveFloat = 10.0
    """How long it is kept there, ps."""


class LiquidEvaluation(Section):
    """The liquid of the dataset's only element, sampled by every trained member."""

    temperature: PositiveFloat
    """Temperature, K."""
    density: PositiveFloat
    """Density of the liquid, g/cm³."""
    atoms: PositiveInt = 2000
    """Atoms at least; cells of an fcc crystal are added until there are as many."""
    melting: Melting = Melting()
    """How the crystal is melted."""
    equilibration: PositiveFloat = 20.0
    """Time at the temperature before the first frame, ps."""
    duration: PositiveFloat = 50.0
    """Time from the first frame to the last, ps."""
    frames: PositiveInt = 100
    """How many frames are taken."""
    conservation: PositiveFloat = 5.0
    """Time without a thermostat, in which the drift of the total energy is measured, ps."""
    timestep: PositiveFloat = 1.0
    """Time step, fs."""
    engine: Literal["auto", "ase", "lammps"] = "auto"
    """What integrates; auto: LAMMPS where it is installed."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the velocities."""

    def steps(self, duration: float) -> int:
        """How many steps a time takes, which is given in ps."""
        return max(1, round(duration * 1e3 / self.timestep))

    @model_validator(mode="after")
    def _frames_fit(self) -> Self:
        if self.frames > self.steps(self.duration):
            raise ValueError(
                f"expected at least a step from frame to frame, got {self.frames} frames in "
                f"{self.steps(self.duration)} steps; take fewer frames or a longer duration"
            )
        return self


class RdfEvaluation(Section):
    """Radial distribution functions of the liquid, beside that of a teacher."""

    teacher: Name
    """The trained family, of one model, whose g(r) others are measured by."""
    cutoff: PositiveFloat = 10.0
    """How far g(r) reaches, Å; at most half of the box."""
    bin: PositiveFloat = 0.05
    """Width of the bins, Å."""


class ReplicasEvaluation(Section):
    """Many trajectories of a liquid at constant temperature, side by side.

    The liquid is the one that the dataset's configurations are of; every trained member samples
    it, and so does the ensemble of a family that others learn from."""

    temperature: PositiveFloat
    """Temperature, K."""
    replicas: PositiveInt = 8
    """Trajectories, each with a start and velocities of its own, that run side by side."""
    equilibration: PositiveFloat = 1000.0
    """Time before the first frame, ps."""
    duration: PositiveFloat = 500.0
    """Time from the first frame to the last, ps."""
    frames: PositiveInt = 100
    """How many frames are taken of each."""
    timestep: PositiveFloat = 2.0
    """Time step, fs."""
    friction: PositiveFloat = 1.0
    """Of the Langevin thermostat, 1/ps."""
    closest: PositiveFloat = 1.0
    """Two beads or atoms that are closer have collided, Å."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the velocities and of the noise."""

    @property
    def every(self) -> int:
        """Steps from one frame to the next."""
        return round(self.duration * 1e3 / self.timestep / self.frames)

    @model_validator(mode="after")
    def _frames_fit(self) -> Self:
        if self.every < 1:
            raise ValueError(
                f"expected at least a step from frame to frame, got {self.frames} frames in "
                f"{self.duration} ps; take fewer frames or a longer duration"
            )
        return self


class Recommendation(Section):
    """Which student to use: the smallest, fastest and leanest about as good as its teacher."""

    teacher: Name
    """The trained family that others are measured by; of these, all that learn are candidates."""
    by: Literal["energy", "forces"] = "forces"
    """The reference label whose validation error counts; all their recipes have a term of it."""
    within: PositiveFloat = 0.2
    """How much larger than the teacher's a candidate's error may be, as a fraction."""
