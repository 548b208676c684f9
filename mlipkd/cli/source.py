"""The options that say how a data file is to be read, and reading it so."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

File = Annotated[Path, Argument(help="The data file.")]
Reader = Annotated[
    str | None, Option(help="ani-al, ani1x, comp6, openreact or ase; guessed if left out.")
]
Energy = Annotated[str | None, Option(help="ani1x: key of the energy.")]
Forces = Annotated[str | None, Option(help="ani1x: key of the forces.")]
EnergyKey = Annotated[str | None, Option(help="ase: name of the energy.")]
ForcesKey = Annotated[str | None, Option(help="ase: name of the forces; 'none' reads none.")]
StressKey = Annotated[str | None, Option(help="ase: name of the stress; 'none' reads none.")]
VirialKey = Annotated[
    str | None, Option(help="ase: name of the virial, − stress · volume; 'none' reads none.")
]
EnergyUnit = Annotated[str | None, Option(help="ase, openreact: eV, meV, Ha, kcal/mol, kJ/mol.")]
LengthUnit = Annotated[str | None, Option(help="ase, openreact: Å, bohr, nm.")]
ForceUnit = Annotated[str | None, Option(help="openreact: Ha/Å, Ha/bohr, eV/Å, …")]
HessianUnit = Annotated[str | None, Option(help="openreact: Ha/Å^2, Ha/bohr^2, eV/Å^2, …")]
ForceSign = Annotated[int | None, Option(help="ase, comp6, openreact: 1 forces, -1 gradients.")]
GroupKey = Annotated[str | None, Option(help="ase: name of the group.")]


def section_of(file: Path, reader: str | None, options: dict[str, str | int | None]):
    """The source section of a data file: what the options say, the rest guessed from the file.

    Raises:
        InputError: there is no such file, its layout is not known, or an option does not fit.
    """
    from mlipkd.config.dataset import AnySource
    from mlipkd.config.load import parse_section
    from mlipkd.config.section import Section
    from mlipkd.datasets.guess import guess_source
    from mlipkd.errors import InputError

    class Command(Section):
        source: AnySource

    if not file.is_file():
        raise InputError(f"{file}: wanted a file, found none; check the path")
    given = {key: value for key, value in options.items() if value is not None}
    guessed = guess_source(file, given) if reader is None else {"reader": reader}
    keys = {**guessed, **given, "files": [str(file)]}
    for key in ("forces_key", "stress_key", "virial_key"):
        if keys.get(key) == "none":
            keys[key] = None
    return parse_section(Command, {"source": keys}, str(file)).source


def refuse(file: Path, faults: list[str]) -> None:
    """Raise InputError with one line for each fault of a file, if there are any."""
    from mlipkd.errors import InputError

    if faults:
        named = [fault if fault.startswith(str(file)) else f"{file}: {fault}" for fault in faults]
        raise InputError("\n".join(named))
