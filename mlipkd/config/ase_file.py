"""Files that ASE reads, with labels of their own or of a calculator."""

from typing import Literal, Self

from pydantic import model_validator

from mlipkd.config.calculator import Calculator
from mlipkd.config.files import EnergyUnit, Files, LengthUnit
from mlipkd.config.section import Section


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
                    "wanted a calculator beside hessian, as files that ASE reads hold none; name "
                    "one, or remove hessian"
                )
            return self
        defaults = type(self)(reader="ase", files=self.files)
        keys = ("energy_key", "forces_key", "stress_key", "virial_key", "energy_unit", "force_sign")
        if given := [key for key in keys if getattr(self, key) != getattr(defaults, key)]:
            raise ValueError(
                f"wanted no {', '.join(given)} beside a calculator, whose labels stand in the "
                "place of the files' own; remove either"
            )
        return self

    @model_validator(mode="after")
    def _stress_or_virial(self) -> Self:
        if self.stress_key and self.virial_key:
            raise ValueError(
                "wanted stress_key or virial_key, which say the same, got both; remove one"
            )
        return self
