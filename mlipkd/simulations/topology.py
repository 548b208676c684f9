"""The topology of a system: the user's force field, and the molecules of this box."""

import re
from collections.abc import Mapping
from pathlib import Path

from mlipkd.config.simulation import Simulation
from mlipkd.errors import InputError

#: Where the folder of the force field is seen from the folder that GROMACS runs in.
FORCE_FIELD = "forcefield"

DIRECTIVE = re.compile(r"^\s*\[\s*(\w+)\s*\]", re.MULTILINE)
INCLUDE = re.compile(r'^\s*#\s*include\s+["<]([^">\n]+)[">]', re.MULTILINE)


def system_topology(simulation: Simulation) -> str:
    """The topology of the box: the user's up to its ``[ system ]``, which comes after all molecule
    types, and then the molecules in the order of the configuration.

    Raises:
        InputError: a file cannot be read or includes one that the simulation does not name, or more
            than the list of molecules would be lost.
    """
    refuse_unnamed(simulation)
    text = _read(simulation.topology)
    directives = list(DIRECTIVE.finditer(text))
    names = [directive[1].lower() for directive in directives]
    end = len(text)
    if "system" in names:
        first = names.index("system")
        end = directives[first].start()
        if lost := set(names[first:]) - {"system", "molecules"}:
            raise InputError(
                f"{simulation.topology}: wanted nothing but [ molecules ] after [ system ], got "
                f"{', '.join(sorted(lost))}; bring it before"
            )
    counts = {name: molecule.number for name, molecule in simulation.molecules.items()}
    return f"{text[:end]}\n{_system(counts)}"


def _system(counts: Mapping[str, int]) -> str:
    lines = [f"{name} {number}" for name, number in counts.items()]
    return "\n".join(["[ system ]", "packed by mlipkd", "[ molecules ]", *lines, ""])


def refuse_unnamed(simulation: Simulation) -> None:
    """Check that the simulation names the files that others of it include from their own folder.

    A change of one that is not named would rerun nothing, and nobody would fetch it.

    Raises:
        InputError: one is not named.
    """
    named = {Path(path).resolve() for path in simulation.files}
    for path in (simulation.topology, *simulation.includes):
        for included in INCLUDE.findall(_read(path)):
            for folder in (Path(path).parent, Path(simulation.topology).parent):
                if (folder / included).is_file() and (folder / included).resolve() not in named:
                    raise InputError(
                        f"{path}: wanted all files that it includes among the simulation's "
                        f"includes, found {folder / included} besides; add it"
                    )


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: wanted a GROMACS topology, could not read it ({error}); check the path"
        ) from error
