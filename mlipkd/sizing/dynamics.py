"""The work of dynamics, and of what is taken from its trajectories: see ``work.py``."""

from collections.abc import Sequence

from mlipkd.config.model import Architecture
from mlipkd.errors import InputError
from mlipkd.evaluation.cost.cost import CostEvaluation
from mlipkd.evaluation.liquid import LiquidEvaluation
from mlipkd.evaluation.rdf import RdfEvaluation
from mlipkd.evaluation.replicas import ReplicasEvaluation
from mlipkd.evaluation.stability import StabilityEvaluation
from mlipkd.sizing.counts import held, multiplications
from mlipkd.sizing.size import Size, filled
from mlipkd.sizing.work import MB, NUMBER, PAIR, Work
from mlipkd.units import GRAM_PER_CM3

#: How often each model is timed; see ``evaluation/cost.py``.
TURNS = 5
#: Bytes of a distance.
DISTANCE = 8


def stability(size: Size, settings: StabilityEvaluation, shape: Architecture, members: int) -> Work:
    """Dynamics of a packed liquid, all runs of a member and time step side by side.

    Raises:
        InputError: a molecule that is not in ASE's G2 collection.
    """
    from ase.collections import g2

    if settings.molecule not in g2.names:
        raise InputError(
            f"stability.molecule: expected a molecule of ASE's G2 collection, got "
            f"{settings.molecule!r}; choose from {', '.join(sorted(g2.names))}"
        )
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


def replicas(size: Size, settings: ReplicasEvaluation, shape: Architecture, members: int) -> Work:
    """Dynamics of copies of the dataset's liquid side by side, by members together."""
    atoms = size.largest * settings.replicas
    steps = (settings.equilibration + settings.duration) * 1e3 / settings.timestep
    moved = steps * atoms * members
    return _dynamics(size, [shape], 1, steps, moved, 0, atoms, size.packed(shape.hard_max))


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
    """Steps of one system of ``atoms``, or of runs side by side; ``moved`` sums their atoms over
    all steps of one model."""
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
