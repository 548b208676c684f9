"""Cost: weights, time per step of molecular dynamics, and memory, of every architecture.

All models are measured side by side in one run, taking turns, so that a machine that is busy for a
while slows all of them and the ratios stay fair; the time is the median over the turns. What is
timed is what a user runs: NVE dynamics through the ASE calculator, neighbour list included.
"""

import json
import statistics
from collections.abc import Mapping
from pathlib import Path

import torch

from mlipkd.config.evaluation import CostEvaluation
from mlipkd.datasets.dataset import Dataset
from mlipkd.deploy.ase import MLIPKD
from mlipkd.evaluation.alone import measure, seconds_per_step
from mlipkd.evaluation.core.rows import UNITS, Row
from mlipkd.evaluation.growth import measure_growth
from mlipkd.evaluation.systems import system_of
from mlipkd.hipnn.file import Potential
from mlipkd.jobs.progress import progress

#: How often every model takes its turn.
TURNS = 5


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
        threads: of the subprocesses; the caller's own are the caller's to set.
        device: where to run.

    Returns:
        The rows, sizes in ascending order; and notes for the reader.

    Raises:
        InputError: a run failed, for want of memory perhaps.
    """
    shapes = {path: _shape(potential) for path, potential in models.items()}
    distinct = {shapes[path]: path for path in models}
    system = system_of(dataset, settings.atoms)

    # Memory first, while this process holds none that others want.
    memory = {
        shape: measure(path, system, threads, device, 1, settings.timestep).memory / len(system)
        for shape, path in distinct.items()
    }
    grown, notes = measure_growth(dataset, distinct, memory, settings, threads, device)
    times: dict[str, list[float]] = {shape: [] for shape in distinct}
    turns = [(shape, path) for _ in range(TURNS) for shape, path in distinct.items()]
    for shape, path in progress(turns, len(turns), "runs timed"):
        calculator = MLIPKD(models[path], device)  # anew, or all of them would keep their lists
        times[shape].append(seconds_per_step(system, calculator, settings.steps, settings.timestep))
    found = {
        shape: {
            "weights": weights(models[path]),
            "time": statistics.median(times[shape]) / len(system) * 1e6,
            "memory": memory[shape] / 1e3,
            **grown[shape],
        }
        for shape, path in distinct.items()
    }

    first_members: dict[tuple[str, str, str], tuple[int, str]] = {}
    for path, potential in models.items():
        own = potential.metadata
        key = own["dataset"], own["family"], own["model"]
        first_members.setdefault(key, (own["seed"], shapes[path]))
    # What is left out of a model are its largest sizes, so the fullest has all metrics in order.
    metrics = max(found.values(), key=len)
    rows = [
        Row(*key, seed, metric, found[shape][metric], UNITS["cost"][metric.rpartition("/")[2]])
        for metric in metrics
        for key, (seed, shape) in first_members.items()
        if metric in found[shape]
    ]
    return rows, notes


def weights(potential: Potential) -> int:
    """Number of weights, energies of the elements included."""
    return sum(tensor.numel() for tensor in potential.model.state_dict().values())


def _shape(potential: Potential) -> str:
    """All that the cost depends on."""
    own = potential.metadata
    return json.dumps([own["architecture"], own["species"], str(potential.dtype)], sort_keys=True)
