"""What all sections of a configuration share: unknown keys are refused, values don't change.

Also the types of values that several sections have: names, paths of files, units.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

#: Names become folders and Snakemake wildcards, so they hold nothing a shell or a path could read.
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"

Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]


def _ascend(numbers: tuple[float, ...]) -> tuple[float, ...]:
    if list(numbers) != sorted(set(numbers)):
        raise ValueError(
            f"expected numbers that ascend, got {list(numbers)}; give each once, the smallest first"
        )
    return numbers


Ascending = AfterValidator(_ascend)


class Section(BaseModel):
    """One mapping of the configuration."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )


class Faults(ValueError):
    """Faults between sections: a list of (YAML path, what is wrong and the remedy)."""

    def __init__(self, faults: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{path}: {text}" for path, text in faults))
        self.faults = faults


Files = Annotated[list[str], Field(min_length=1)]
EnergyUnit = Literal["eV", "meV", "Ha", "kcal/mol", "kJ/mol"]
ForceUnit = Literal["eV/Å", "kcal/mol/Å", "kJ/mol/Å", "kJ/mol/nm", "Ha/Å", "Ha/bohr"]
HessianUnit = Literal["eV/Å^2", "kcal/mol/Å^2", "kJ/mol/Å^2", "Ha/Å^2", "Ha/bohr^2"]
LengthUnit = Literal["Å", "bohr", "nm"]
