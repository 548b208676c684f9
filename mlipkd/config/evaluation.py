"""Evaluations: the questions put to members and ensembles."""

from pydantic import PositiveFloat, PositiveInt

from mlipkd.config.section import Name, Section


class Comp6Evaluation(Section):
    """Energies and conformer energies of molecules larger than those of training."""

    suites: dict[Name, str]
    """Name and file of each part of the suite, in the layout of COMP6 v1."""
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
