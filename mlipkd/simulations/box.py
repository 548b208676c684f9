"""The first box: molecules out of the user's structures, packed by packmol, as a .gro file."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import MDAnalysis as mda
import numpy as np
from MDAnalysis.lib.distances import minimize_vectors

from mlipkd.config.simulation import Molecule
from mlipkd.dynamics.packmol import pack
from mlipkd.errors import InputError


@dataclass(frozen=True)
class Structure:
    """One molecule."""

    residue: str
    names: tuple[str, ...]
    """Of its atoms."""
    positions: np.ndarray
    """(atoms, 3), Å, whole."""


def read_structure(name: str, molecule: Molecule) -> Structure:
    """The first residue of a molecule's name in its file, made whole by nearest images.

    Raises:
        InputError: the file cannot be read or has no such residue.
    """
    wanted, path = molecule.residue or name, molecule.structure
    try:
        universe = mda.Universe(path, to_guess=())
    except Exception as error:
        raise InputError(
            f"{path}: wanted a structure (.gro, .pdb), got an error from MDAnalysis "
            f"({' '.join(str(error).split())}); check the file"
        ) from error
    found = next((own for own in universe.residues if own.resname == wanted), None)
    if found is None:
        known = ", ".join(sorted(set(universe.residues.resnames)))
        raise InputError(f"{path}: wanted a residue {wanted!r}, found {known}; set residue")
    positions = found.atoms.positions.astype(float)
    if universe.dimensions is not None:
        vectors = minimize_vectors(positions - positions[0], universe.dimensions)
        positions = positions[0] + vectors
    return Structure(wanted, tuple(found.atoms.names), positions)


def packed(
    structures: Mapping[str, Structure], counts: Mapping[str, int], side: float, seed: int
) -> tuple[np.ndarray, str]:
    """Positions (all atoms, 3) of so many of each molecule in a box, and what packed them."""
    molecules = [(one.positions, counts[name]) for name, one in structures.items()]
    return pack(molecules, side, seed)


def piled(structures: Mapping[str, Structure], counts: Mapping[str, int]) -> np.ndarray:
    """The same all in one place: for what asks about the molecules and not where they are."""
    molecules = [np.tile(one.positions, (counts[name], 1)) for name, one in structures.items()]
    return np.concatenate(molecules)


def write_box(
    path: Path,
    structures: Mapping[str, Structure],
    counts: Mapping[str, int],
    positions: np.ndarray,
    side: float,
) -> None:
    """Write positions (all atoms, 3) in a cubic box, both in Å, as a .gro file."""
    each = [one for name, one in structures.items() for _ in range(counts[name])]
    sizes = [len(one.names) for one in each]
    universe = mda.Universe.empty(
        sum(sizes),
        len(each),
        atom_resindex=np.repeat(np.arange(len(each)), sizes),
        trajectory=True,
    )
    universe.add_TopologyAttr("names", [name for one in each for name in one.names])
    universe.add_TopologyAttr("resnames", [one.residue for one in each])
    universe.add_TopologyAttr("resids", np.arange(1, len(each) + 1))
    universe.atoms.positions = positions
    universe.dimensions = [side, side, side, 90, 90, 90]
    universe.atoms.write(str(path))


def mass(topology: Path) -> float:
    """The mass of all atoms of a .tpr, u."""
    return float(mda.Universe(str(topology), to_guess=()).atoms.masses.sum())
