"""The dataset: configurations and their labels, as flat arrays over all atoms cut by offsets.

Species are elements, or beads of a coarse-grained dataset: a bead's number is its place in the
dataset's beads plus one, in the order in which the configuration of the campaign names them.
"""

import itertools
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace

import numpy as np

from mlipkd.config.quantities import QUANTITIES

TRAIN, VALIDATION, TEST, UNUSED = 0, 1, 2, 3

HEAVIEST = 118
"""Atomic number of the last element."""

#: What provenance says of runs of configurations, which a selection of them has no more.
OF_RUNS = ("origins", "kinds")

#: The quantities that are labels: a dataset holds them.
LABELS = {name: quantity for name, quantity in QUANTITIES.items() if quantity.label is None}


@dataclass(frozen=True)
class Bead:
    """One species of bead."""

    name: str
    mass: float
    """u."""


def species_name(species: int, beads: tuple[Bead, ...]) -> str:
    """The name of a species: its bead's, or the chemical symbol where there are no beads."""
    from ase.data import chemical_symbols

    return beads[species - 1].name if beads else chemical_symbols[species]


def species_masses(species: np.ndarray, beads: tuple[Bead, ...]) -> np.ndarray:
    """Masses in u, in the shape of ``species``: of beads, or of elements if there are no beads."""
    from ase.data import atomic_masses

    masses = np.array([np.nan, *(bead.mass for bead in beads)]) if beads else atomic_masses
    return masses[species]


def to_json(beads: tuple[Bead, ...]) -> str:
    """Beads as the text that the canonical file holds."""
    return json.dumps([asdict(bead) for bead in beads])


def from_json(text: bytes) -> tuple[Bead, ...]:
    """The beads of a text by ``to_json``."""
    return tuple(Bead(**bead) for bead in json.loads(text))


@dataclass(frozen=True)
class Dataset:
    """Configurations and their labels.

    The atoms of configuration m are the rows ``offsets[m]:offsets[m + 1]`` of every per-atom array.
    Forces are forces, F = -dE/dR; stress is dE/dε / V, positive under tension (ASE's sign). The
    Hessian of n atoms is n² blocks of 3 by 3: block i·n + j is ∂²E/∂R_i∂R_j.
    """

    name: str
    species: np.ndarray
    """(atoms,) uint8: atomic numbers, or places in ``beads`` counted from one."""
    positions: np.ndarray
    """(atoms, 3) float64: Å."""
    offsets: np.ndarray
    """(configurations + 1,) int64: where each configuration's atoms start, and their end."""
    cells: np.ndarray
    """(configurations, 3, 3) float64: lattice vectors as rows, Å; zero for free systems."""
    periodic: np.ndarray
    """(configurations, 3) bool: directions that repeat."""
    groups: np.ndarray
    """(configurations,) int64: the trajectory or molecule a configuration belongs to."""
    splits: np.ndarray
    """(configurations,) uint8: TRAIN, VALIDATION, TEST or UNUSED."""
    labels: dict[str, dict[str, np.ndarray]]
    """Labels by whose they are ("reference", "teacher") and quantity (LABELS); eV, Å. Their rows
    are those of ``row_offsets``.

    NaN where a quantity is missing, which it may be where ``may_miss`` says so."""
    provenance: dict
    """Where the dataset came from; plain JSON values."""
    clusters: np.ndarray = None  # type: ignore[assignment]
    """(configurations,) int64: those with the same number stay on one side of every split; if
    left out, each stands for itself."""
    beads: tuple[Bead, ...] = ()
    """The species, where these are beads and no elements."""

    def __post_init__(self) -> None:
        if self.clusters is None:
            object.__setattr__(self, "clusters", np.arange(len(self), dtype=np.int64))

    def __len__(self) -> int:
        """Number of configurations."""
        return len(self.offsets) - 1

    @property
    def sizes(self) -> np.ndarray:
        """Number of atoms of each configuration."""
        return np.diff(self.offsets)  # (configurations,)

    @property
    def masked(self) -> frozenset[str]:
        """The quantities that the reader declares to be missing here and there, as NaN."""
        return frozenset(self.provenance.get("masked", ()))

    def may_miss(self, whose: str, label: str) -> bool:
        """Whether a label may be missing here and there, as NaN: masked, or of a calculator that
        failed."""
        if whose == "reference":
            return label in self.masked
        return bool(self.provenance.get("teacher", {}).get("failed"))

    def place(self, index: int) -> str:
        """Where configuration ``index`` comes from, in words that lead the user to its source."""
        return place(self.provenance.get("origins", [(0, self.name)]), index)

    def select(self, indices: Iterable[int]) -> "Dataset":
        """The chosen configurations, in the order chosen."""
        chosen = np.asarray(indices, dtype=np.int64)  # (chosen,)
        atoms = chosen_rows(self.offsets, chosen)  # (chosen atoms,)
        return replace(
            self,
            species=self.species[atoms],
            positions=self.positions[atoms],
            offsets=offsets_from(self.sizes[chosen]),
            cells=self.cells[chosen],
            periodic=self.periodic[chosen],
            groups=self.groups[chosen],
            splits=self.splits[chosen],
            labels={
                whose: {
                    label: values[chosen_rows(row_offsets(label, self.offsets), chosen)]
                    for label, values in given.items()
                }
                for whose, given in self.labels.items()
            },
            provenance={k: v for k, v in self.provenance.items() if k not in OF_RUNS},
            clusters=self.clusters[chosen],
        )


def place(origins: Iterable[tuple[int, str]], index: int) -> str:
    """Where a configuration comes from, given the first of each run and where the run is from."""
    first, name = max(origin for origin in origins if origin[0] <= index)
    inside = f" ({index} of the dataset)" if first else ""
    return f"{name}: configuration {index - first}{inside}"


def offsets_from(sizes: np.ndarray) -> np.ndarray:
    """Offsets of configurations with the given numbers of atoms."""
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)  # (configurations + 1,)


def row_offsets(label: str, offsets: np.ndarray) -> np.ndarray:
    """Where each configuration's rows of a label's flat array start, and their end.

    There is a row for each configuration, each atom or each ordered pair of a configuration's
    atoms; all other axes of the label are columns.

    Args:
        label: one of LABELS.
        offsets: (configurations + 1,), of the atoms.

    Returns:
        (configurations + 1,) int64.
    """
    atoms = LABELS[label].atom_axes
    return offsets if atoms == 1 else offsets_from(np.diff(offsets) ** atoms)


def columns_of(label: str) -> tuple[int, ...]:
    """The axes of a label's flat array other than its rows."""
    return tuple(axis for axis in LABELS[label].shape if isinstance(axis, int))


def label_shape(label: str, atoms: int) -> tuple[int, ...]:
    """Shape of the label of one configuration with so many atoms."""
    return tuple(axis if isinstance(axis, int) else atoms for axis in LABELS[label].shape)


def chosen_rows(offsets: np.ndarray, configurations: np.ndarray) -> np.ndarray:
    """Rows of a flat array cut by offsets that belong to some configurations, one after the other.

    Args:
        offsets: (configurations + 1,), of the atoms or of the rows of a label.
        configurations: (chosen,), which.

    Returns:
        (chosen rows,) int64.
    """
    sizes = np.diff(offsets)[configurations]  # (chosen,)
    skipped = offsets[configurations] - offsets_from(sizes)[:-1]  # (chosen,)
    return np.arange(sizes.sum()) + np.repeat(skipped, sizes)


def composition(dataset: Dataset, elements: Iterable[int]) -> np.ndarray:
    """Atoms of each element: (configurations, elements) float64."""
    elements = list(elements)
    owner = np.repeat(np.arange(len(dataset)), dataset.sizes)  # (atoms,)
    counts = np.zeros((len(dataset), len(elements)))
    for column, element in enumerate(elements):
        owners = owner[dataset.species == element]
        counts[:, column] = np.bincount(owners, minlength=len(dataset))
    return counts


def element_energies(counts: np.ndarray, energies: np.ndarray) -> tuple[np.ndarray, int]:
    """The energies of the elements whose sums fit energies best, by least squares.

    Where compositions do not distinguish the elements (one molecule, one element) the solution of
    smallest norm is taken.

    Args:
        counts: (configurations, elements), of ``composition``.
        energies: (configurations,), eV; missing ones (NaN) are passed over.

    Returns:
        (elements,), eV, and how many of them the compositions determine.
    """
    known = np.isfinite(energies)  # (configurations,)
    fitted, _, rank, _ = np.linalg.lstsq(counts[known], energies[known])
    return fitted, int(rank)


#: Atoms of a memory batch: some 100 MB of labels of eight members, or of neighbours in a dense
#: crystal.
BATCH_ATOMS = 2**16


def memory_batches(sizes: np.ndarray, atoms: int = BATCH_ATOMS) -> list[slice]:
    """Consecutive configurations that fit into memory together.

    Args:
        sizes: (configurations,), number of atoms of each.
        atoms: how many a batch has at most; a larger configuration is a batch by itself.
    """
    ends = np.cumsum(sizes)  # (configurations,)
    cuts = [0]
    while cuts[-1] < len(sizes):
        done = ends[cuts[-1] - 1] if cuts[-1] else 0
        cuts.append(max(cuts[-1] + 1, int(np.searchsorted(ends, done + atoms, side="right"))))
    return [slice(start, stop) for start, stop in itertools.pairwise(cuts)]
