"""Evaluations: the questions put to members and ensembles."""

from typing import Annotated

from pydantic import BeforeValidator, Field, PositiveFloat, PositiveInt

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


class Evaluations(Section):
    """What is asked beside the errors on the test split, which every member is always asked."""

    comp6: Comp6Evaluation | None = None
    cost: CostEvaluation | None = None
