"""``mlipkd init``."""

from pathlib import Path
from typing import Annotated

from typer import Option

from mlipkd.cli import source


def init(
    file: source.File,
    output: Annotated[Path, Option(help="Campaign to write, YAML.")] = Path("config.yaml"),
    reader: source.Reader = None,
    energy: source.Energy = None,
    forces: source.Forces = None,
    energy_key: source.EnergyKey = None,
    forces_key: source.ForcesKey = None,
    stress_key: source.StressKey = None,
    virial_key: source.VirialKey = None,
    energy_unit: source.EnergyUnit = None,
    length_unit: source.LengthUnit = None,
    force_unit: source.ForceUnit = None,
    hessian_unit: source.HessianUnit = None,
    force_sign: source.ForceSign = None,
    group_key: source.GroupKey = None,
) -> None:
    """Look at a data file, and write a campaign of minutes that fits it.

    Names, units and signs are guessed from the file and from physics. Where nothing tells, you are
    asked if there is a terminal; otherwise the campaign says so in a comment.

    Example: mlipkd init frames.extxyz --output frames.yaml
    """
    said = dict(locals())
    options = {key: said[key] for key in said.keys() - {"file", "output", "reader"}}

    from mlipkd.config.ase_file import AseFile
    from mlipkd.config.dataset import Comp6
    from mlipkd.datasets import checks
    from mlipkd.datasets.contents import contents
    from mlipkd.datasets.guess import is_canonical
    from mlipkd.datasets.sources import read_source
    from mlipkd.errors import InputError
    from mlipkd.proposal.propose import propose, refuse_existing, write_new

    refuse_existing(output)
    if file.is_file() and is_canonical(file):
        raise InputError(
            f"{file}: wanted data that no campaign has made a dataset of, got a dataset of mlipkd; "
            "give the file that it was made of, which mlipkd check tells"
        )
    section = source.section_of(file, reader, options)
    guesses = []
    if isinstance(section, AseFile | Comp6):
        section, guesses = _with_units(file, section, options)
    dataset = read_source(file.stem, section)
    print(f"{file}: read as {section.model_dump(exclude={'files'}, exclude_none=True)}")
    report = checks.check(dataset)
    print("\n".join(contents(dataset, report)))
    for guess in guesses:
        print(f"{guess.key:16} {guess.value}: {guess.reason or _granted(guess)}")
    source.refuse(file, report.faults)

    plan = propose(dataset, section, report, guesses)
    write_new(output, plan.text)
    print(f"{output}: a campaign whose training takes about {plan.seconds / 60:.1f} minutes of one")
    print("core; read it, change it, and run it:")
    print(f"  snakemake --profile workflow/profiles/local --configfile {output}")


def _with_units(file: Path, section, options: dict):
    """The section with the units that physics tells or the user says, and why each is so."""
    import sys
    from dataclasses import replace

    from mlipkd.config.ase_file import AseFile
    from mlipkd.config.load import parse_section
    from mlipkd.datasets.sources import read_source
    from mlipkd.datasets.unit_guess import guess_sign, guess_units

    keys = section.model_dump(include=section.model_fields_set)
    stated = {key for key, value in options.items() if value is not None}
    plain = {key: value for key, value in keys.items() if not key.endswith(("_unit", "_sign"))}
    as_default = type(section)(**plain)
    dataset = read_source(file.stem, as_default)
    if isinstance(as_default, AseFile):
        found = guess_units(dataset)
    else:
        found = guess_sign(dataset, as_default.force_sign)
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
