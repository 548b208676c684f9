"""Verbs about data: looking at a file, proposing a campaign for it, and making datasets."""

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from mlipkd.cli.options import Runtime, Threads

#: The options that say how a data file is read: what they take and, for users, which readers they
#: are for.
READING: dict[str, tuple[type, str]] = {
    "reader": (str, "ani-al, ani1x, comp6, openreact or ase; guessed if left out."),
    "energy": (str, "ani1x: key of the energy."),
    "forces": (str, "ani1x: key of the forces."),
    "energy_key": (str, "ase: name of the energy."),
    "forces_key": (str, "ase: name of the forces; 'none' reads none."),
    "stress_key": (str, "ase: name of the stress; 'none' reads none."),
    "virial_key": (str, "ase: name of the virial, − stress · volume; 'none' reads none."),
    "energy_unit": (str, "ase, openreact: eV, meV, Ha, kcal/mol, kJ/mol."),
    "length_unit": (str, "ase, openreact: Å, bohr, nm."),
    "force_unit": (str, "openreact: Ha/Å, Ha/bohr, eV/Å, …"),
    "hessian_unit": (str, "openreact: Ha/Å^2, Ha/bohr^2, eV/Å^2, …"),
    "force_sign": (int, "ase, comp6, openreact: 1 forces, -1 gradients."),
    "group_key": (str, "ase: name of the group."),
}
File = Annotated[Path, Argument(help="The data file.")]


def _with_reading_options(verb: Callable[..., None]) -> Callable[..., None]:
    """The verb with the options of READING, of which it is given those stated, as a mapping."""

    @functools.wraps(verb)
    def run(*arguments, **options) -> None:
        given = {key: options.pop(key, None) for key in READING}
        stated = {key: value for key, value in given.items() if value is not None}
        verb(*arguments, **options, stated=stated)

    signature = inspect.signature(verb)
    others = [value for name, value in signature.parameters.items() if name != "stated"]
    reading = [
        inspect.Parameter(
            name,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            default=None,
            annotation=Annotated[kind | None, Option(help=text)],
        )
        for name, (kind, text) in READING.items()
    ]
    run.__signature__ = signature.replace(parameters=[*others, *reading])  # type: ignore[attr-defined]
    return run


def section_of(file: Path, stated: dict):
    """The source section of a data file: what the options say, the rest guessed from the file.

    Args:
        file: where the data are.
        stated: the values of some of the options in READING.

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
    keys = {**({} if "reader" in stated else guess_source(file, stated)), **stated}
    keys["files"] = [str(file)]
    for key in ("forces_key", "stress_key", "virial_key"):
        if keys.get(key) == "none":
            keys[key] = None
    return parse_section(Command, {"source": keys}, str(file)).source


def _refuse(file: Path, faults: list[str]) -> None:
    """Raise InputError with one line for each fault of a file, if there are any."""
    from mlipkd.errors import InputError

    if faults:
        lines = [fault if fault.startswith(str(file)) else f"{file}: {fault}" for fault in faults]
        raise InputError("\n".join(lines))


@_with_reading_options
def check(file: File, *, stated: dict) -> None:
    """Say what is in a data file, or in a dataset of mlipkd, and what is wrong with it.

    One line for each fault, and status 2 if there is any.

    Example: mlipkd check frames.extxyz --energy-unit Ha --force-sign -1
    """
    from mlipkd.checks.check import check, contents
    from mlipkd.datasets.file import read
    from mlipkd.readers.guess import is_canonical

    if "reader" not in stated and file.is_file() and is_canonical(file):
        dataset = read(file)
        print(f"{file}: dataset {dataset.name!r} of mlipkd {dataset.provenance['mlipkd']}")
    else:
        section = section_of(file, stated)
        dataset = section.read(file.stem)
        print(f"{file}: read as {section.model_dump(exclude={'files'}, exclude_none=True)}")
    report = check(dataset)
    print("\n".join(contents(dataset, report)))
    _refuse(file, report.faults)


@_with_reading_options
def init(
    file: File,
    output: Annotated[Path, Option(help="Campaign to write, YAML.")] = Path("config.yaml"),
    *,
    stated: dict,
) -> None:
    """Look at a data file, and write a campaign of minutes that fits it.

    Names, units and signs are guessed from the file and from physics. Where nothing tells, you are
    asked if there is a terminal; otherwise the campaign says so in a comment.

    Example: mlipkd init frames.extxyz --output frames.yaml
    """
    from mlipkd.checks.check import check, contents
    from mlipkd.errors import InputError
    from mlipkd.proposal.propose import propose, refuse_existing, write_new
    from mlipkd.readers.guess import is_canonical

    refuse_existing(output)
    if file.is_file() and is_canonical(file):
        raise InputError(
            f"{file}: expected data that no campaign has made a dataset of, got a dataset of "
            "mlipkd; give the file that it was made of, which mlipkd check tells"
        )
    section = section_of(file, stated)
    guesses = []
    if section.undeclared:
        section, guesses = _with_units(file, section, stated)
    dataset = section.read(file.stem)
    print(f"{file}: read as {section.model_dump(exclude={'files'}, exclude_none=True)}")
    report = check(dataset)
    print("\n".join(contents(dataset, report)))
    for guess in guesses:
        print(f"{guess.key:16} {guess.value}: {guess.reason or _granted(guess)}")
    _refuse(file, report.faults)

    proposal = propose(dataset, section, report, guesses)
    write_new(output, proposal.text)
    minutes = proposal.seconds / 60
    print(f"{output}: a campaign whose training takes about {minutes:.1f} minutes of one")
    print("core; read it, change it, and run it:")
    print(f"  snakemake --profile workflow/profiles/local --configfile {output}")


def _with_units(file: Path, section, stated: dict):
    """The section with the units that physics tells or the user says, and why each is so."""
    import sys
    from dataclasses import replace

    from mlipkd.config.load import parse_section
    from mlipkd.proposal.units import guess_units

    keys = section.model_dump(include=section.model_fields_set)
    plain = {key: value for key, value in keys.items() if not key.endswith(("_unit", "_sign"))}
    by_default = type(section)(**plain)
    dataset = by_default.read(file.stem)
    guesses = [
        guess
        for guess in guess_units(dataset, section.undeclared, by_default.force_sign)
        if guess.key not in stated
    ]
    if sys.stdin.isatty():
        guesses = [
            guess if guess.reason else replace(guess, value=_ask(guess), reason="as you say")
            for guess in guesses
        ]
    known = {guess.key: guess.value for guess in guesses if guess.reason}
    return parse_section(type(section), {**keys, **known}, str(file)), guesses


def _ask(guess) -> str | int:
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
    """Download a file, and keep it if it has the hash that it should have.

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
    command resumes from there.

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
    from mlipkd.datasets.size import measure
    from mlipkd.datasets.splits import clusters, is_held_out, leaks, split
    from mlipkd.errors import InputError

    job = DatasetSettings.read(str(settings))
    made = job.source.read(job.name)
    report = check(made)
    if report.faults:
        raise InputError("\n".join(report.faults))
    notes = [*made.provenance["notes"], *report.remarks]
    if (made.splits == UNUSED).all():  # what is pooled is split already
        notes += leaks(made, job.split)
        together = clusters(made, job.split)
        splits = split(together, job.split, is_held_out(made, together, job.split))
        made = replace(made, clusters=together, splits=splits)
    provenance = {**made.provenance, "notes": notes, "split": job.split.model_dump()}
    write(replace(made, provenance=provenance), output)
    if size:
        measure(made, output).write(size)
    for note in notes:
        print(f"{job.name}: {note}")
    kind = "beads" if made.beads else "atoms"
    print(f"{output}: {len(made)} configurations, {made.offsets[-1]} {kind}")
    print(f"{output}: {split_counts(made)}")
