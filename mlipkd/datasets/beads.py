"""Beads: the species of a coarse-grained dataset.

A bead stands where an atom stands otherwise: its species number is its place in the dataset's beads
plus one, in the order in which the configuration names them.
"""

import json
from dataclasses import asdict, dataclass

import numpy as np
from ase.data import atomic_masses, chemical_symbols


@dataclass(frozen=True)
class Bead:
    """One species of bead."""

    name: str
    mass: float
    """u."""


def species_name(species: int, beads: tuple[Bead, ...]) -> str:
    """The name of a species: its bead's, or the chemical symbol where there are no beads."""
    return beads[species - 1].name if beads else chemical_symbols[species]


def species_masses(species: np.ndarray, beads: tuple[Bead, ...]) -> np.ndarray:
    """Masses in u, in the shape of ``species``: of beads, or of elements if there are no beads."""
    masses = np.array([np.nan, *(bead.mass for bead in beads)]) if beads else atomic_masses
    return masses[species]


def to_json(beads: tuple[Bead, ...]) -> str:
    """Beads as the text that the canonical file holds."""
    return json.dumps([asdict(bead) for bead in beads])


def from_json(text: bytes) -> tuple[Bead, ...]:
    """The beads of a text by ``to_json``."""
    return tuple(Bead(**bead) for bead in json.loads(text))
