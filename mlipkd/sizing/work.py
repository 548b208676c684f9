"""Work: what a job has to do, as a few numbers that its time and its memory are proportional to.

Those of time count operations; what one of them takes is for benchmarks to say. Those of memory
count the bytes, in MB, of arrays that are surely held at one time; benchmarks say what comes on top
of them. Multiplications are counted as the kernels of one member carry them out: see
``hipnn/interaction.py``.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from mlipkd.config.model import Architecture
from mlipkd.config.settings import TrainSettings
from mlipkd.config.split import Split
from mlipkd.datasets.dataset import BATCH_ATOMS
from mlipkd.readers import AnySource
from mlipkd.sizing.counts import held, multiplications
from mlipkd.sizing.size import Size

#: The kinds of jobs.
KINDS = (
    "calculation",
    "dataset",
    "distribution",
    "dynamics",
    "inference",
    "merging",
    "training",
)

MB = 1e6
#: Bytes of a number of the model, of a neighbour in a list (vector, sender, reverse), and of all
#: labels of an atom by one member.
NUMBER, PAIR, LABELS = 4, 20, 64
#: Bytes of an atom's part of a column of a Hessian.
COLUMN = 24
#: Sweeps through the layers of a product of a Hessian with a vector, and of each column of a whole
#: one, with their derivatives by the weights, which PyTorch makes and no kernel; and how many more
#: mini-batches of few atoms take as long. The reduced Hessian campaign took 0.85 to 1.2 of what
#: they make of it, and the large molecules of docs/hessians.md agree.
PRODUCT, EACH = 10, 12
ROUNDS = {"hvp": 1.4, "hessian": 6}
#: Arrays that either holds, of a number for each pair of neighbours and sensitivity or feature; and
#: how many numbers those of the columns that are made together have: see ``hipnn/hessian.py``.
ARRAYS, TOGETHER = 50, 2e6
#: Bytes that the neighbours of training data may take; see ``training/data.py``.
BLOCK = 4 * 2**30
#: Bytes of an atom in a file of the COMP6 layout: a position and a force in single precision.
COMP6_ATOM = 24
#: What readers compute.
COMPUTED = ("aluminium-emt", "molecules-xtb")
#: Quantities that are no derivatives.
ENERGIES = {"energy", "energy_per_atom", "atomic_energies"}


@dataclass(frozen=True)
class Work:
    """What one job has to do."""

    kind: str
    """Jobs of one kind are estimated alike."""
    seconds: dict[str, float] = field(default_factory=dict)
    """What its time is made of."""
    megabytes: dict[str, float] = field(default_factory=dict)
    """What its memory is made of."""


def dataset(source: AnySource, file_bytes: int) -> Work:
    """Making a dataset, of files of so many bytes if it is made of files."""
    counts = {**dict.fromkeys(COMPUTED, 0), **source.computed, "file": file_bytes / MB}
    return Work("dataset", {"start": 1, **counts}, {"start": 1, "file": file_bytes / MB})


def train(size: Size, members: Sequence[TrainSettings], epochs: int | None = None) -> Work:
    """Training members together, for all the epochs that they may take if no number is given."""
    settings = members[0]
    recipe, shape = settings.recipe, settings.architecture
    share = _share_trained(size, settings.split)
    configurations, atoms = size.configurations * share, size.atoms * share
    pairs = atoms * size.within(shape.hard_max)
    in_batch = recipe.batch.configurations or (recipe.batch.pairs or 1) / max(
        1, pairs / configurations
    )
    quantities = {term.quantity for term in recipe.loss}
    # Derivatives of the forces take the way through the layers twice.
    sweeps: float = 1 if quantities <= ENERGIES else 2
    product = min(1, in_batch / configurations) * pairs * (shape.sensitivities + shape.width)
    curved = 0.0
    if "hvp" in quantities:
        sweeps, curved = sweeps + PRODUCT, product
    if "hessian" in quantities:
        columns = 3 * size.atoms / size.configurations
        sweeps, curved = sweeps + columns * EACH, max(3 * product, TOGETHER / len(members))
    rounds = 1 + sum(ROUNDS[quantity] for quantity in ROUNDS.keys() & quantities)
    epochs = recipe.optimiser.epochs if epochs is None else epochs
    passes = epochs * sweeps * len(members)
    batch_atoms = min(1, in_batch / configurations) * atoms
    batch = batch_atoms * (held(shape) + 6 * size.within(shape.hard_max))
    return Work(
        "training",
        {
            "start": 1,
            "batches": epochs * math.ceil(configurations / in_batch) * rounds,
            "gathered": epochs * pairs,
            "multiplied": passes * multiplications(shape, size.elements, atoms, pairs),
        },
        {
            "start": 1,
            "kept": (min(pairs * PAIR, BLOCK) + size.bytes * share) / MB,
            "batch": (batch * min(sweeps, 2) + curved * ARRAYS) * len(members) * NUMBER / MB,
        },
    )


def _share_trained(size: Size, split: Split) -> float:
    """The part of a dataset that is trained on or validated with.

    It is the same for all seeds together: each may draw anew, but from this part alone.
    """
    share = 1 - split.test
    if split.train is None:
        return share
    return min(share, split.train / size.configurations + split.validation)


def predict(size: Size, shape: Architecture, hessians: bool = False) -> Work:
    """Labelling a dataset by one member, with Hessians, too, if somebody learns from them."""
    columns = _columns(size) if hessians else 0
    return _inference(size, shape, 1, size.atoms, min(size.atoms, BATCH_ATOMS), columns)


def errors(
    size: Size, split: Split, shape: Architecture, members: int, hessians: bool = False
) -> Work:
    """Comparing members with the test split, by their Hessians, too, if the dataset has any."""
    atoms = tested(size, split)
    columns = _columns(size) if hessians else 0
    return _inference(size, shape, members, atoms, min(atoms, BATCH_ATOMS), columns)


def tested(size: Size, split: Split) -> float:
    """Atoms of the test split; what is held out of training may be any part of the dataset."""
    return size.atoms * (1 if split.held_out else split.test)


def comp6(size: Size, file_bytes: int, shape: Architecture, members: int) -> Work:
    """Comparing members with suites in files of so many bytes; these are read whole."""
    atoms = file_bytes / COMP6_ATOM
    return _inference(size, shape, members, atoms, atoms)


def _columns(size: Size) -> float:
    """Columns of a Hessian, each of which takes as long as energies and forces do, twice as it is a
    derivative."""
    return 2 * 3 * size.atoms / size.configurations


def _inference(
    size: Size,
    shape: Architecture,
    members: int,
    atoms: float,
    atoms_at_once: float,
    columns: float = 0,
) -> Work:
    """Asking members for the labels of so many atoms, and for columns of Hessians of each atom."""
    neighbours = size.within(shape.hard_max)
    return Work(
        "inference",
        {
            "start": 1,
            "listed": atoms * neighbours,
            "labelled": atoms * members * (1 + columns),
            "multiplied": members
            * (1 + columns)
            * multiplications(shape, size.elements, atoms, atoms * neighbours),
        },
        {
            "start": 1,
            "kept": atoms_at_once
            * (neighbours * PAIR + members * (LABELS + columns * COLUMN))
            / MB,
            "batch": size.largest * members * held(shape) * NUMBER / MB,
        },
    )


def calculate(atoms: float, hessians_of: float = 0) -> Work:
    """Asking a calculator for the labels of so many atoms; with Hessians, those of molecules of so
    many atoms, which displace each of them both ways along each axis."""
    times = 1 + 6 * hessians_of
    at_once = min(atoms, BATCH_ATOMS) * (LABELS + 3 * hessians_of * COLUMN) / MB
    return Work("calculation", {"start": 1, "atoms": atoms * times}, {"start": 1, "kept": at_once})


def merge(size: Size, members: int) -> Work:
    """Merging the labels of members."""
    at_once = min(size.atoms, BATCH_ATOMS) * members * LABELS / MB
    return Work(
        "merging",
        {"start": 1, "labelled": size.atoms * members},
        {"start": 1, "kept": at_once},
    )
