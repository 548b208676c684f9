"""What sources state of their files: the paths and the units."""

from typing import Annotated, Literal

from pydantic import Field

Files = Annotated[list[str], Field(min_length=1)]
EnergyUnit = Literal["eV", "meV", "Ha", "kcal/mol", "kJ/mol"]
ForceUnit = Literal["eV/Å", "kcal/mol/Å", "kJ/mol/Å", "kJ/mol/nm", "Ha/Å", "Ha/bohr"]
HessianUnit = Literal["eV/Å^2", "kcal/mol/Å^2", "kJ/mol/Å^2", "Ha/Å^2", "Ha/bohr^2"]
LengthUnit = Literal["Å", "bohr", "nm"]
