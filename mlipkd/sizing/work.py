"""Work: what a job has to do, as a few numbers that its time and its memory are proportional to.

Those of time count operations; what one of them takes is for benchmarks to say. Those of memory
count the bytes, in MB, of arrays that are surely held at one time; benchmarks say what comes on top
of them. Multiplications are counted as the kernels of one member carry them out: see
``hipnn/interaction.py``.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from mlipkd.config.dataset import AnySource, Split
from mlipkd.config.evaluation import (
    CostEvaluation,
    LiquidEvaluation,
    RdfEvaluation,
    StabilityEvaluation,
)
from mlipkd.config.model import Architecture
from mlipkd.config.settings import TrainSettings
from mlipkd.datasets.slabs import ATOMS as SLAB
from mlipkd.sizing.counts import held, multiplications
from mlipkd.sizing.size import Size, filled
from mlipkd.units import GRAM_PER_CM3

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
#: Bytes of a number of the model, of a neighbour in a list (vector, sender, reverse), of all labels
#: of an atom by one member, and of a distance.
NUMBER, PAIR, LABELS, DISTANCE = 4, 20, 64, 8
#: Bytes that the neighbours of training data may take; see ``training/data.py``.
BLOCK = 4 * 2**30
#: Bytes of an atom in a file of the COMP6 layout: a position and a force in single precision.
COMP6_ATOM = 24
#: How often each model is timed; see ``evaluation/cost.py``.
TURNS = 5
#: Readers that compute their labels.
BUILT_IN = ("aluminium-emt", "molecules-xtb")
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
    made = getattr(source, "configurations", 0)
    counts = {reader: made * (source.reader == reader) for reader in BUILT_IN}
    counts["file"] = file_bytes / MB
    return Work("dataset", {"start": 1, **counts}, {"start": 1, "file": file_bytes / MB})


def train(size: Size, members: Sequence[TrainSettings], epochs: int | None = None) -> Work:
    """Training members together, for all the epochs that they may take if no number is given."""
    settings = members[0]
    recipe, shape = settings.recipe, settings.architecture
    share = _share_trained(size, settings.split, len(members) if recipe.split != "shared" else 1)
    configurations, atoms = size.configurations * share, size.atoms * share
    pairs = atoms * size.within(shape.hard_max)
    in_batch = recipe.batch.configurations or (recipe.batch.pairs or 1) / max(
        1, pairs / configurations
    )
    # Derivatives of the forces take the way through the layers twice.
    sweeps = 1 if {term.quantity for term in recipe.loss} <= ENERGIES else 2
    epochs = recipe.optimiser.epochs if epochs is None else epochs
    passes = epochs * sweeps * len(members)
    batch_atoms = min(1, in_batch / configurations) * atoms
    batch = batch_atoms * (held(shape) + 6 * size.within(shape.hard_max))
    return Work(
        "training",
        {
            "start": 1,
            "batches": epochs * math.ceil(configurations / in_batch),
            "gathered": epochs * pairs,
            "multiplied": passes * multiplications(shape, size.elements, atoms, pairs),
        },
        {
            "start": 1,
            "kept": (min(pairs * PAIR, BLOCK) + size.bytes * share) / MB,
            "batch": batch * sweeps * len(members) * NUMBER / MB,
        },
    )


def _share_trained(size: Size, split: Split, draws: int) -> float:
    """The part of a dataset that is trained on or validated with, in all of so many draws."""
    share = 1 - split.test
    if split.train is None:
        return share
    return min(share, draws * (split.train / size.configurations + split.validation))


def predict(size: Size, shape: Architecture) -> Work:
    """Labelling a dataset by one member."""
    return _inference(size, shape, 1, size.atoms, min(size.atoms, SLAB))


def errors(size: Size, split: Split, shape: Architecture, members: int) -> Work:
    """Comparing members with the test split."""
    atoms = size.atoms * split.test
    return _inference(size, shape, members, atoms, min(atoms, SLAB))


def comp6(size: Size, file_bytes: int, shape: Architecture, members: int) -> Work:
    """Comparing members with suites in files of so many bytes; these are read whole."""
    atoms = file_bytes / COMP6_ATOM
    return _inference(size, shape, members, atoms, atoms)


def _inference(
    size: Size, shape: Architecture, members: int, atoms: float, atoms_at_once: float
) -> Work:
    neighbours = size.within(shape.hard_max)
    return Work(
        "inference",
        {
            "start": 1,
            "listed": atoms * neighbours,
            "labelled": atoms * members,
            "multiplied": members
            * multiplications(shape, size.elements, atoms, atoms * neighbours),
        },
        {
            "start": 1,
            "kept": atoms_at_once * (neighbours * PAIR + members * LABELS) / MB,
            "batch": size.largest * members * held(shape) * NUMBER / MB,
        },
    )


def calculate(atoms: float) -> Work:
    """Asking a calculator for the labels of so many atoms."""
    at_once = min(atoms, SLAB) * LABELS / MB
    return Work("calculation", {"start": 1, "atoms": atoms}, {"start": 1, "kept": at_once})


def merge(size: Size, members: int) -> Work:
    """Merging the labels of members."""
    at_once = min(size.atoms, SLAB) * members * LABELS / MB
    return Work(
        "merging",
        {"start": 1, "labelled": size.atoms * members},
        {"start": 1, "kept": at_once},
    )


def stability(size: Size, settings: StabilityEvaluation, shape: Architecture, members: int) -> Work:
    """Dynamics of a packed liquid, all runs of a member and time step side by side."""
    from ase.collections import g2

    molecule = g2[settings.molecule]
    density = settings.density * GRAM_PER_CM3 * len(molecule) / molecule.get_masses().sum()
    atoms = settings.molecules * len(molecule) * settings.runs
    steps = sum(settings.duration * 1e3 / timestep for timestep in settings.timesteps) * members
    calls = steps * (settings.runs if settings.engine == "ase" else 1)
    neighbours = filled(density, shape.hard_max)
    return _dynamics(size, [shape], 1, calls, steps * atoms, 0, atoms, neighbours)


def liquid(size: Size, settings: LiquidEvaluation, shape: Architecture) -> Work:
    """Dynamics of the liquid of an element: melting, equilibration, sampling, and conservation."""
    density = settings.density * GRAM_PER_CM3 / size.mass
    times = (settings.melting.duration, settings.equilibration, settings.duration)
    steps = sum(map(settings.steps, (*times, settings.conservation)))
    neighbours = filled(density, shape.hard_max)
    atoms = settings.atoms
    return _dynamics(size, [shape], 1, steps, steps * atoms, atoms, 0, neighbours)


def cost(size: Size, settings: CostEvaluation, shapes: Sequence[Architecture]) -> Work:
    """Timing models in turns, and each size of each in a process of its own."""
    sizes = (settings.atoms, *settings.growth)
    # Of larger systems fewer steps are timed, and one at least.
    moved = TURNS * settings.atoms * settings.steps + sum(
        max(atoms, settings.atoms * settings.steps) for atoms in sizes
    )
    neighbours = max(size.packed(shape.hard_max) for shape in shapes)
    calls = (TURNS + len(sizes)) * settings.steps * len(shapes)
    processes = 1 + len(shapes) * len(sizes)
    return _dynamics(size, shapes, processes, calls, moved, max(sizes), 0, neighbours)


def _dynamics(
    size: Size,
    shapes: Sequence[Architecture],
    processes: int,
    calls: float,
    moved: float,
    atoms: float,
    side_by_side: float,
    neighbours: float,
) -> Work:
    """Steps of one system of ``atoms``, or of runs side by side; ``moved`` is the sum of their atoms
    over all steps of one model."""
    # Models of several layers hold all atoms at one time, others a chunk.
    numbers = max(held(shape) * (shape.n_interactions > 1) for shape in shapes)
    return Work(
        "dynamics",
        {
            "start": processes,
            "calls": calls,
            "listed": len(shapes) * moved * neighbours,
            "multiplied": sum(
                multiplications(shape, size.elements, moved, moved * neighbours) for shape in shapes
            ),
        },
        {
            "start": min(processes, 2),  # one at a time beside the first
            "kept": atoms * (neighbours * PAIR + numbers * NUMBER) / MB,
            "side_by_side": side_by_side * (neighbours * PAIR + numbers * NUMBER) / MB,
        },
    )


def rdf(size: Size, settings: LiquidEvaluation, wanted: RdfEvaluation, members: int) -> Work:
    """Radial distribution functions of all frames of the liquids of members."""
    neighbours = filled(settings.density * GRAM_PER_CM3 / size.mass, wanted.cutoff)
    pairs = settings.atoms * neighbours
    return Work(
        "distribution",
        {"start": 1, "pairs": settings.frames * members * pairs},
        {"start": 1, "kept": pairs * DISTANCE / MB},
    )
