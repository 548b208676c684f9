"""``mlipkd check``."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option


def check(
    file: Annotated[Path, Argument(help="A dataset of mlipkd or of others.")],
    reader: Annotated[
        str | None, Option(help="ani-al, ani1x, comp6, openreact or ase; guessed if left out.")
    ] = None,
    energy: Annotated[str | None, Option(help="ani1x: key of the energy.")] = None,
    forces: Annotated[str | None, Option(help="ani1x: key of the forces.")] = None,
    energy_key: Annotated[str | None, Option(help="ase: name of the energy.")] = None,
    forces_key: Annotated[
        str | None, Option(help="ase: name of the forces, 'none' if there are none.")
    ] = None,
    energy_unit: Annotated[
        str | None, Option(help="ase, openreact: eV, meV, Ha, kcal/mol, kJ/mol.")
    ] = None,
    length_unit: Annotated[str | None, Option(help="ase, openreact: Å, bohr, nm.")] = None,
    force_unit: Annotated[str | None, Option(help="openreact: Ha/Å, Ha/bohr, eV/Å, …")] = None,
    hessian_unit: Annotated[
        str | None, Option(help="openreact: Ha/Å^2, Ha/bohr^2, eV/Å^2, …")
    ] = None,
    force_sign: Annotated[
        int | None, Option(help="ase, openreact: 1 forces, -1 gradients.")
    ] = None,
    group_key: Annotated[str | None, Option(help="ase: name of the group.")] = None,
) -> None:
    """Say what is in a file, and what is wrong with it: one line for each fault, and status 2.

    Example: mlipkd check frames.extxyz --energy-unit Ha --force-sign -1
    """
    from mlipkd.datasets import checks
    from mlipkd.datasets.contents import contents
    from mlipkd.datasets.file import read
    from mlipkd.datasets.guess import guess_source, is_canonical
    from mlipkd.datasets.sources import read_source
    from mlipkd.errors import InputError

    keys = {
        "energy": energy,
        "forces": forces,
        "energy_key": energy_key,
        "forces_key": forces_key,
        "energy_unit": energy_unit,
        "length_unit": length_unit,
        "force_unit": force_unit,
        "hessian_unit": hessian_unit,
        "force_sign": force_sign,
        "group_key": group_key,
    }
    given = {key: value for key, value in keys.items() if value is not None}
    if not file.is_file():
        raise InputError(f"{file}: wanted a file, found none; check the path")
    if reader is None and is_canonical(file):
        dataset = read(file)
        print(f"{file}: dataset {dataset.name!r} of mlipkd {dataset.provenance['mlipkd']}")
    else:
        source = guess_source(file) if reader is None else {"reader": reader}
        section = _section(file, {**source, **given})
        dataset = read_source(file.stem, section)
        print(f"{file}: read as {section.model_dump(exclude={'files'}, exclude_none=True)}")
    report = checks.check(dataset)
    print("\n".join(contents(dataset, report)))
    if report.faults:
        raise InputError("\n".join(_with_file(file, fault) for fault in report.faults))


def _section(file: Path, keys: dict):
    """The source section with the keys of the command line."""
    from mlipkd.config.dataset import AnySource
    from mlipkd.config.load import parse_section
    from mlipkd.config.section import Section

    class Command(Section):
        source: AnySource

    if keys.get("forces_key") == "none":
        keys["forces_key"] = None
    return parse_section(Command, {"source": {**keys, "files": [str(file)]}}, str(file)).source


def _with_file(file: Path, fault: str) -> str:
    return fault if fault.startswith(str(file)) else f"{file}: {fault}"
