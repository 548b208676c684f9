"""The system that is simulated: its topology, and its first box.

The topology is the user's force field with the molecules of this box. The box holds molecules from
the user's structures, packed by packmol, as a .gro file.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import MDAnalysis as mda
import numpy as np
from MDAnalysis.lib.distances import minimize_vectors

from mlipkd.config.simulation import Molecule, Simulation
from mlipkd.dynamics.packing import pack
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
        if others := set(names[first:]) - {"system", "molecules"}:
            raise InputError(
                f"{simulation.topology}: expected nothing but [ molecules ] after [ system ], got "
                f"{', '.join(sorted(others))}; move it before"
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
                        f"{path}: expected all files that it includes among the simulation's "
                        f"includes, found {folder / included} besides; add it"
                    )


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: expected a GROMACS topology, could not read it ({error}); check the path"
        ) from error


@dataclass(frozen=True)
class Structure:
    """One molecule."""

    residue: str
    names: tuple[str, ...]
    """Of its atoms."""
    positions: np.ndarray
    """(atoms, 3), Å, whole."""


def read_structure(name: str, molecule: Molecule) -> Structure:
    """The first residue of the molecule's name in its file, made whole by nearest images.

    Raises:
        InputError: the file cannot be read or has no such residue.
    """
    residue_name, path = molecule.residue or name, molecule.structure
    try:
        universe = mda.Universe(path, to_guess=())
    except Exception as error:
        raise InputError(
            f"{path}: expected a structure (.gro, .pdb), got an error from MDAnalysis "
            f"({' '.join(str(error).split())}); check the file"
        ) from error
    residue = next((r for r in universe.residues if r.resname == residue_name), None)
    if residue is None:
        known = ", ".join(sorted(set(universe.residues.resnames)))
        raise InputError(f"{path}: expected a residue {residue_name!r}, found {known}; set residue")
    positions = residue.atoms.positions.astype(float)
    if universe.dimensions is not None:
        vectors = minimize_vectors(positions - positions[0], universe.dimensions)
        positions = positions[0] + vectors
    return Structure(residue_name, tuple(residue.atoms.names), positions)


def packed(
    structures: Mapping[str, Structure], counts: Mapping[str, int], side: float, seed: int
) -> tuple[np.ndarray, str]:
    """Positions (all atoms, 3) of so many of each molecule in a box, and what packed them."""
    molecules = [(molecule.positions, counts[name]) for name, molecule in structures.items()]
    return pack(molecules, side, seed)


def piled(structures: Mapping[str, Structure], counts: Mapping[str, int]) -> np.ndarray:
    """The same all in one place, where positions do not matter."""
    return np.concatenate(
        [np.tile(each.positions, (counts[name], 1)) for name, each in structures.items()]
    )


def write_box(
    path: Path,
    structures: Mapping[str, Structure],
    counts: Mapping[str, int],
    positions: np.ndarray,
    side: float,
) -> None:
    """Write positions (all atoms, 3) in a cubic box, both in Å, as a .gro file."""
    molecules = [each for name, each in structures.items() for _ in range(counts[name])]
    sizes = [len(molecule.names) for molecule in molecules]
    universe = mda.Universe.empty(
        sum(sizes),
        len(molecules),
        atom_resindex=np.repeat(np.arange(len(molecules)), sizes),
        trajectory=True,
    )
    universe.add_TopologyAttr("names", [name for each in molecules for name in each.names])
    universe.add_TopologyAttr("resnames", [molecule.residue for molecule in molecules])
    universe.add_TopologyAttr("resids", np.arange(1, len(molecules) + 1))
    universe.atoms.positions = positions
    universe.dimensions = [side, side, side, 90, 90, 90]
    universe.atoms.write(str(path))


def mass(topology: Path) -> float:
    """The mass of all atoms of a .tpr, u."""
    return float(mda.Universe(str(topology), to_guess=()).atoms.masses.sum())
