"""Evaluations: the questions put to members and ensembles."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, PositiveFloat, PositiveInt, model_validator

from mlipkd.config.dataset import AseFile, Comp6
from mlipkd.config.section import Name, Section


def _by_path(suite: object) -> object:
    """A path, or a list of them, stands for files in the layout of COMP6 v1."""
    paths = [suite] if isinstance(suite, str) else suite
    if not isinstance(paths, list):
        return suite
    for path in paths:
        if isinstance(path, str) and not path.endswith((".h5", ".hdf5")):
            raise ValueError(
                f"wanted HDF5 files (.h5, .hdf5) of COMP6, got {path!r}; for another format give a "
                "section with reader: ase, files, keys and units"
            )
    return {"reader": "comp6", "files": paths}


Suite = Annotated[Comp6 | AseFile, Field(discriminator="reader"), BeforeValidator(_by_path)]


class Comp6Evaluation(Section):
    """Energies and conformer energies of molecules larger than those of training."""

    suites: Annotated[dict[Name, Suite], Field(min_length=1)]
    """The parts of the suite: a path or a list of paths in the layout of COMP6 v1, or a source
    with `reader: ase` whose `group_key` names the molecule."""
    ceiling: PositiveFloat = 100.0
    """Conformers this far above their molecule's lowest are left out, kcal/mol."""


class CostEvaluation(Section):
    """Time per step of molecular dynamics and memory, per atom."""

    atoms: PositiveInt = 500
    """Atoms of the system at least; configurations of the test split are repeated to reach it."""
    steps: PositiveInt = 10
    """Steps of dynamics that are timed, in each of the repeats."""
    timestep: PositiveFloat = 1.0
    """Time step, fs."""
    growth: tuple[PositiveInt, ...] = ()
    """Sizes at which time and memory are measured, too, atoms."""


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
                f"wanted timesteps that differ, got {list(self.timesteps)}; keep one of each"
            )
        if max(self.timesteps) > self.duration * 1e3:
            raise ValueError(
                f"wanted timesteps up to the duration of {self.duration * 1e3:g} fs, got "
                f"{max(self.timesteps):g}; make runs longer"
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


class Evaluations(Section):
    """What is asked beside the errors on the test split, which every member is always asked."""

    comp6: Comp6Evaluation | None = None
    cost: CostEvaluation | None = None
    stability: StabilityEvaluation | None = None
    recommended: Recommendation | None = None
