"""Cost: weights, time per step of molecular dynamics, and memory, of every architecture.

All models are measured in one run, taking turns, so that a machine that is busy for a while slows
all of them and the ratios stay fair; the time is the median over the turns. What is timed is what a
user runs: NVE dynamics through the ASE calculator, neighbour list included.

Growth: the same at other sizes of the system, and how many atoms there is memory for. Per atom both
time and memory should be flat. (Matin et al., Digital Discovery 4, 2502 (2025), tell memory by the
most atoms that fit; here that number is a division, so that it takes no run that fails.)
"""

import json
import statistics
from collections.abc import Mapping
from pathlib import Path

import torch

from mlipkd.config.evaluation import CostEvaluation
from mlipkd.datasets.dataset import Dataset
from mlipkd.deploy.ase import MLIPKD
from mlipkd.evaluation.core.rows import UNITS, Row
from mlipkd.evaluation.cost.measurement import (
    available_memory,
    measure_in_subprocess,
    seconds_per_step,
    system_of,
)
from mlipkd.hipnn.file import Potential
from mlipkd.jobs.progress import progress

#: How often every model takes its turn.
TURNS = 5
#: The part of the available memory that a run may be expected to take: it is an estimate, and
#: libraries need some, too.
USABLE = 0.8

Costs = dict[tuple[str, int | None], float]
"""By metric, and by number of atoms where it was measured at one of the sizes of ``growth``."""


def evaluate_cost(
    dataset: Dataset,
    models: Mapping[Path, Potential],
    settings: CostEvaluation,
    threads: int,
    device: torch.device,
) -> tuple[list[Row], list[str]]:
    """Weights, time and memory for each family and model among the model files.

    Models of one architecture, elements and precision cost the same and are measured once.

    Args:
        dataset: its first configuration is what the systems to run are made of.
        models: what was read from model files, by file.
        settings: sizes of the systems and length of the runs.
        threads: of the subprocesses; those of this process are the caller's to set.
        device: where to run.

    Returns:
        The rows, sizes in ascending order; and notes for the reader.

    Raises:
        InputError: a run failed, for want of memory perhaps.
    """
    shapes = {path: _shape(potential) for path, potential in models.items()}
    distinct = {shapes[path]: path for path in models}
    system = system_of(dataset, settings.atoms)

    # Memory first, while this process holds none that others need.
    memory = {
        shape: measure_in_subprocess(path, system, threads, device, 1, settings.timestep).memory
        / len(system)
        for shape, path in distinct.items()
    }
    growth, notes = measure_growth(dataset, distinct, memory, settings, threads, device)
    times: dict[str, list[float]] = {shape: [] for shape in distinct}
    turns = [(shape, path) for _ in range(TURNS) for shape, path in distinct.items()]
    for shape, path in progress(turns, len(turns), "runs timed"):
        calculator = MLIPKD(models[path], device)  # anew, or all of them would keep their lists
        times[shape].append(seconds_per_step(system, calculator, settings.steps, settings.timestep))
    costs: dict[str, Costs] = {
        shape: {
            ("weights", None): count_weights(models[path]),
            ("time", None): statistics.median(times[shape]) / len(system) * 1e6,
            ("memory", None): memory[shape] / 1e3,
            **growth[shape],
        }
        for shape, path in distinct.items()
    }

    first_members: dict[tuple[str, str, str], tuple[int, str]] = {}
    for path, potential in models.items():
        metadata = potential.metadata
        key = metadata["dataset"], metadata["family"], metadata["model"]
        first_members.setdefault(key, (metadata["seed"], shapes[path]))
    # What is left out of a model are its largest sizes, so the fullest has all metrics in order.
    rows = [
        Row(
            *key,
            seed,
            metric if atoms is None else f"atoms{atoms}/{metric}",
            costs[shape][metric, atoms],
            UNITS["cost"][metric],
        )
        for metric, atoms in max(costs.values(), key=len)
        for key, (seed, shape) in first_members.items()
        if (metric, atoms) in costs[shape]
    ]
    return rows, notes


def count_weights(potential: Potential) -> int:
    """Number of weights, energies of the elements included."""
    return sum(tensor.numel() for tensor in potential.model.state_dict().values())


def _shape(potential: Potential) -> str:
    """All that the cost depends on."""
    metadata = potential.metadata
    return json.dumps(
        [metadata["architecture"], metadata["species"], str(potential.dtype)], sort_keys=True
    )


def measure_growth(
    dataset: Dataset,
    models: Mapping[str, Path],
    memory_per_atom: Mapping[str, float],
    settings: CostEvaluation,
    threads: int,
    device: torch.device,
) -> tuple[dict[str, Costs], list[str]]:
    """Time and memory at the sizes of ``growth``, and the most atoms that fit.

    At each size every model has one turn, in a process of its own. About as many steps of one atom
    are timed at all sizes above ``atoms``.

    Args:
        dataset: its first configuration is what the systems are made of.
        models: files to measure, by any name.
        memory_per_atom: of each in a system of ``atoms``, bytes.
        settings: sizes of the systems and length of the runs.
        threads: of the CPU.
        device: where to run.

    Returns:
        By name, ``most_atoms``, and by number of atoms ``time`` in µs/atom/step and ``memory`` in
        kB/atom; nothing if there are no other sizes. And notes on what was left out.

    Raises:
        InputError: a run failed, for want of memory perhaps.
    """
    if not settings.growth:
        return {name: {} for name in models}, []
    available, atoms = available_memory(device), 0
    notes: list[str] = []
    times: dict[str, dict[int, float]] = {name: {} for name in models}  # s/atom/step, by size
    memory = {name: {settings.atoms: per_atom} for name, per_atom in memory_per_atom.items()}
    for size in settings.growth:
        if size <= atoms:
            continue  # the system before is the first that is as large as this, too
        too_large = {
            name: note
            for name, path in models.items()
            if (note := _too_large(path, size, memory[name], available))
        }
        notes += too_large.values()
        fitting = [name for name in models if name not in too_large]
        if not fitting:
            continue
        system = system_of(dataset, size)
        atoms = len(system)
        steps = max(1, round(settings.steps * min(1, settings.atoms / atoms)))
        for name in progress(fitting, len(fitting), f"models run with {atoms} atoms"):
            measured = measure_in_subprocess(
                models[name], system, threads, device, steps, settings.timestep
            )
            times[name][atoms] = measured.time / atoms
            memory[name][atoms] = measured.memory / atoms
    costs: dict[str, Costs] = {
        name: {
            ("most_atoms", None): available // _of_largest(memory[name]),
            **{("time", n): value * 1e6 for n, value in times[name].items()},
            **{("memory", n): memory[name][n] / 1e3 for n in times[name]},
        }
        for name in models
    }
    whose = "of the GPU" if device.type == "cuda" else "that this machine makes available"
    notes.append(
        f"most_atoms is a division, not a run: the {available / 1e9:.4g} GB {whose}, by the memory "
        "per atom of the largest system measured"
    )
    return costs, notes


def _of_largest(memory: Mapping[int, float]) -> float:
    """What the largest system takes, bytes per atom; less than a byte is too little to measure."""
    return max(1.0, memory[max(memory)])


def _too_large(path: Path, size: int, memory: Mapping[int, float], available: float) -> str | None:
    """Why a size is left out of a model, if it is."""
    expected = size * _of_largest(memory)
    if expected <= USABLE * available:
        return None
    return (
        f"{path}: {size} atoms are left out: judged by {max(memory)} atoms they take "
        f"{expected / 1e9:.3g} GB, more than {USABLE:.0%} of the {available / 1e9:.3g} GB there is"
    )
