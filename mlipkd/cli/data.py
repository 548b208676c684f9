"""The options that say how a data file is to be read, and reading it so.

``mlipkd check``.

``mlipkd init``.

``mlipkd fetch``.

``mlipkd simulate``.

``mlipkd dataset``.
"""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from mlipkd.cli.options import Runtime, Threads

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
    from mlipkd.config.load import parse_section
    from mlipkd.config.section import Section
    from mlipkd.errors import InputError
    from mlipkd.readers import AnySource
    from mlipkd.readers.guess import guess_source

    class Command(Section):
        source: AnySource

    if not file.is_file():
        raise InputError(f"{file}: expected a file, found none; check the path")
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


def check(
    file: File,
    reader: Reader = None,
    energy: Energy = None,
    forces: Forces = None,
    energy_key: EnergyKey = None,
    forces_key: ForcesKey = None,
    stress_key: StressKey = None,
    virial_key: VirialKey = None,
    energy_unit: EnergyUnit = None,
    length_unit: LengthUnit = None,
    force_unit: ForceUnit = None,
    hessian_unit: HessianUnit = None,
    force_sign: ForceSign = None,
    group_key: GroupKey = None,
) -> None:
    """Say what is in a data file, or in a dataset of mlipkd, and what is wrong with it.

    One line for each fault, and status 2 if there is any.

    Example: mlipkd check frames.extxyz --energy-unit Ha --force-sign -1
    """
    said = dict(locals())
    options = {key: said[key] for key in said.keys() - {"file", "reader"}}

    from mlipkd.checks import check
    from mlipkd.checks.check import contents
    from mlipkd.datasets.file import read
    from mlipkd.readers.guess import is_canonical

    if reader is None and file.is_file() and is_canonical(file):
        dataset = read(file)
        print(f"{file}: dataset {dataset.name!r} of mlipkd {dataset.provenance['mlipkd']}")
    else:
        section = section_of(file, reader, options)
        dataset = section.read(file.stem)
        print(f"{file}: read as {section.model_dump(exclude={'files'}, exclude_none=True)}")
    report = check.check(dataset)
    print("\n".join(contents(dataset, report)))
    refuse(file, report.faults)


def init(
    file: File,
    output: Annotated[Path, Option(help="Campaign to write, YAML.")] = Path("config.yaml"),
    reader: Reader = None,
    energy: Energy = None,
    forces: Forces = None,
    energy_key: EnergyKey = None,
    forces_key: ForcesKey = None,
    stress_key: StressKey = None,
    virial_key: VirialKey = None,
    energy_unit: EnergyUnit = None,
    length_unit: LengthUnit = None,
    force_unit: ForceUnit = None,
    hessian_unit: HessianUnit = None,
    force_sign: ForceSign = None,
    group_key: GroupKey = None,
) -> None:
    """Look at a data file, and write a campaign of minutes that fits it.

    Names, units and signs are guessed from the file and from physics. Where nothing tells, you are
    asked if there is a terminal; otherwise the campaign says so in a comment.

    Example: mlipkd init frames.extxyz --output frames.yaml
    """
    said = dict(locals())
    options = {key: said[key] for key in said.keys() - {"file", "output", "reader"}}

    from mlipkd.checks import check
    from mlipkd.checks.check import contents
    from mlipkd.errors import InputError
    from mlipkd.proposal.propose import propose, refuse_existing, write_new
    from mlipkd.readers.guess import is_canonical

    refuse_existing(output)
    if file.is_file() and is_canonical(file):
        raise InputError(
            f"{file}: expected data that no campaign has made a dataset of, got a dataset of "
            "mlipkd; give the file that it was made of, which mlipkd check tells"
        )
    section = section_of(file, reader, options)
    guesses = []
    if section.undeclared:
        section, guesses = _with_units(file, section, options)
    dataset = section.read(file.stem)
    print(f"{file}: read as {section.model_dump(exclude={'files'}, exclude_none=True)}")
    report = check.check(dataset)
    print("\n".join(contents(dataset, report)))
    for guess in guesses:
        print(f"{guess.key:16} {guess.value}: {guess.reason or _granted(guess)}")
    refuse(file, report.faults)

    plan = propose(dataset, section, report, guesses)
    write_new(output, plan.text)
    print(f"{output}: a campaign whose training takes about {plan.seconds / 60:.1f} minutes of one")
    print("core; read it, change it, and run it:")
    print(f"  snakemake --profile workflow/profiles/local --configfile {output}")


def _with_units(file: Path, section, options: dict):
    """The section with the units that physics tells or the user says, and why each is so."""
    import sys
    from dataclasses import replace

    from mlipkd.config.load import parse_section
    from mlipkd.proposal.units import guess_units

    keys = section.model_dump(include=section.model_fields_set)
    stated = {key for key, value in options.items() if value is not None}
    plain = {key: value for key, value in keys.items() if not key.endswith(("_unit", "_sign"))}
    as_default = type(section)(**plain)
    dataset = as_default.read(file.stem)
    found = guess_units(dataset, section.undeclared, as_default.force_sign)
    guesses = [guess for guess in found if guess.key not in stated]
    if sys.stdin.isatty():
        guesses = [
            guess if guess.reason else replace(guess, value=_asked(guess), reason="as you say")
            for guess in guesses
        ]
    known = {guess.key: guess.value for guess in guesses if guess.reason}
    return parse_section(type(section), {**keys, **known}, str(file)), guesses


def _asked(guess) -> str | int:
    """The user's answer; the section refuses what is no unit."""
    from typer import prompt

    return prompt(f"{guess.key} ({guess.doubt})", guess.value)


def _granted(guess) -> str:
    suspicion = f"; {guess.suspicion}" if guess.suspicion else ""
    return f"NOTHING TELLS, taken for granted{suspicion}"


def fetch(
    url: Annotated[str, Option(help="Where the file is.")],
    sha256: Annotated[str, Option(help="SHA-256 that it must have, 64 hexadecimal digits.")],
    output: Annotated[Path, Option(help="File to write.")],
) -> None:
    """Download a file, and keep it if it is the one that was meant.

    Example: mlipkd fetch --url https://example.org/data.h5 --sha256 9f86d0… --output data.h5
    """
    from mlipkd.readers.download import fetch

    fetch(url, sha256, output)


def simulate(
    settings: Annotated[Path, Option(help="What is simulated, YAML.")],
    topology: Annotated[Path, Option(help="Topology to write, .tpr.")],
    output: Annotated[Path, Option(help="Trajectory to write, .trr.")],
    threads: Threads = 1,
    runtime: Runtime = None,
) -> None:
    """Pack molecules into a box, and sample their dynamics with GROMACS: positions and forces.

    Before its time is over, and on SIGTERM or SIGUSR1, it stops with exit status 75; the same
    command goes on from there.

    Example: mlipkd simulate --settings settings.yaml --topology topology.tpr --output
    trajectory.trr
    """
    from mlipkd.config.settings import SimulationSettings
    from mlipkd.jobs.resumable import listen
    from mlipkd.simulations.simulate import simulate

    section = SimulationSettings.read(settings).simulation
    simulate(section, topology, output, threads, listen(runtime))


def dataset(
    settings: Annotated[Path, Option(help="Name, source and split of the dataset, YAML.")],
    output: Annotated[Path, Option(help="Dataset to write, HDF5.")],
    size: Annotated[
        Path | None, Option(help="Its size to write, JSON: what its jobs take depends on it.")
    ] = None,
) -> None:
    """Read or make a dataset, check it, split it and write it in eV and Å.

    Example: mlipkd dataset --settings dataset.yaml --output dataset.h5 --size size.json
    """
    from dataclasses import replace

    from mlipkd.campaign.settings import DatasetSettings
    from mlipkd.checks.check import check, split_counts
    from mlipkd.datasets.dataset import UNUSED
    from mlipkd.datasets.file import write
    from mlipkd.datasets.splits import clusters, is_held_out, leaks, split
    from mlipkd.errors import InputError
    from mlipkd.sizing.size import measure

    wanted = DatasetSettings.read(str(settings))
    found = wanted.source.read(wanted.name)
    report = check(found)
    if report.faults:
        raise InputError("\n".join(report.faults))
    notes = [*found.provenance["notes"], *report.remarks]
    if (found.splits == UNUSED).all():  # what is pooled is split already
        notes += leaks(found, wanted.split)
        together = clusters(found, wanted.split)
        splits = split(together, wanted.split, is_held_out(found, together, wanted.split))
        found = replace(found, clusters=together, splits=splits)
    provenance = {**found.provenance, "notes": notes, "split": wanted.split.model_dump()}
    write(replace(found, provenance=provenance), output)
    if size:
        measure(found, output).write(size)
    for note in notes:
        print(f"{wanted.name}: {note}")
    kind = "beads" if found.beads else "atoms"
    print(f"{output}: {len(found)} configurations, {found.offsets[-1]} {kind}")
    print(f"{output}: {split_counts(found)}")
