"""Cost: weights, time per step of molecular dynamics, and memory, of every architecture.

All models are measured side by side in one run, taking turns, so that a machine that is busy for a
while slows all of them and the ratios stay fair; the time is the median over the turns. What is
timed is what a user runs: NVE dynamics through the ASE calculator, neighbour list included.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import ase.io
import numpy as np
import torch
from ase import Atoms
from ase.md.verlet import VelocityVerlet
from ase.units import fs, kB

from mlipkd.config.evaluation import CostEvaluation
from mlipkd.datasets.dataset import Dataset
from mlipkd.deploy.ase import MLIPKD
from mlipkd.evaluation.rows import UNITS, Row
from mlipkd.hipnn.file import Potential
from mlipkd.progress import progress

#: How often every model takes its turn.
TURNS = 5
#: Space between a molecule's outermost nuclei and the next molecule's, Å; about that of a liquid.
GAP = 2.0
#: Temperature of the first velocities, K.
TEMPERATURE = 300.0


def evaluate_cost(
    dataset: Dataset,
    models: Sequence[Path],
    settings: CostEvaluation,
    threads: int,
    device: torch.device,
) -> list[Row]:
    """Weights, time and memory for each family and model among the model files.

    Models of one architecture, elements and precision cost the same and are measured once.

    Args:
        dataset: its first configuration is what the system to run is made of.
        models: model files.
        settings: size of the system and length of the runs.
        threads: of the subprocesses that measure memory; the caller's own are the caller's to set.
        device: where to run.
    """
    calculators = {path: MLIPKD(str(path), device) for path in models}
    shapes = {path: _shape(calculator.potentials[0]) for path, calculator in calculators.items()}
    distinct = {shapes[path]: path for path in models}
    system = system_of(dataset, settings.atoms)

    times: dict[str, list[float]] = {shape: [] for shape in distinct}
    turns = [(shape, path) for _ in range(TURNS) for shape, path in distinct.items()]
    for shape, path in progress(turns, len(turns), "runs timed"):
        times[shape].append(seconds_per_step(system, calculators[path], settings))
    found = {
        shape: {
            "weights": weights(calculators[path].potentials[0]),
            "time": statistics.median(times[shape]) / len(system) * 1e6,
            "memory": memory(system, path, threads, device) / len(system) / 1e3,
        }
        for shape, path in distinct.items()
    }

    first_members: dict[tuple[str, str, str], tuple[int, str]] = {}
    for path, calculator in calculators.items():
        own = calculator.potentials[0].metadata
        key = own["dataset"], own["family"], own["model"]
        first_members.setdefault(key, (own["seed"], shapes[path]))
    return [
        Row(*key, seed, metric, value, UNITS["cost"][metric])
        for key, (seed, shape) in first_members.items()
        for metric, value in found[shape].items()
    ]


def weights(potential: Potential) -> int:
    """Number of weights, energies of the elements included."""
    return sum(tensor.numel() for tensor in potential.model.state_dict().values())


def seconds_per_step(start: Atoms, calculator: MLIPKD, settings: CostEvaluation) -> float:
    """Time of a step of NVE dynamics, after one step that is not timed."""
    atoms = start.copy()
    atoms.calc = calculator
    dynamics = VelocityVerlet(atoms, timestep=settings.timestep * fs)
    dynamics.run(1)
    begin = time.perf_counter()
    dynamics.run(settings.steps)
    return (time.perf_counter() - begin) / settings.steps


def memory(system: Atoms, model: Path, threads: int, device: torch.device) -> float:
    """Bytes that one evaluation of energy and forces takes at its peak, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "system.xyz")
        ase.io.write(file, system, format="extxyz")
        words = [str(model), str(file), str(threads), str(device)]
        done = subprocess.run(
            [sys.executable, "-m", "mlipkd.evaluation.memory", *words],
            stdout=subprocess.PIPE,
            check=True,
        )
    return float(done.stdout)


def system_of(dataset: Dataset, atoms: int) -> Atoms:
    """A system of at least ``atoms`` atoms, made of the dataset's first configuration.

    A periodic one is repeated, directions that are short first. Of a molecule, copies are put on a
    lattice about as dense as a liquid, in free space.
    """
    one = Atoms(
        dataset.species[: dataset.offsets[1]],
        dataset.positions[: dataset.offsets[1]],
        cell=dataset.cells[0],
        pbc=dataset.periodic[0],
    )
    if not one.pbc.any():
        centred = one.positions - one.positions.mean(axis=0)  # (atoms, 3)
        one.positions = centred @ np.linalg.svd(centred)[2].T  # along its principal axes
        one.cell = np.diag(np.ptp(one.positions, axis=0) + GAP)
    repeated = one.pbc if one.pbc.any() else np.ones(3, bool)
    repeats = np.ones(3, int)
    while len(one) * repeats.prod() < atoms:
        repeats[np.argmin(np.where(repeated, one.cell.lengths() * repeats, np.inf))] += 1
    system = one.repeat(repeats)
    if not one.pbc.any():
        system.cell = None
    normal = np.random.default_rng(0).normal(size=(len(system), 3))  # (atoms, 3)
    system.set_momenta(normal * np.sqrt(system.get_masses()[:, None] * kB * TEMPERATURE))
    return system


def _shape(potential: Potential) -> str:
    """All that the cost depends on."""
    own = potential.metadata
    return json.dumps([own["architecture"], own["species"], str(potential.dtype)], sort_keys=True)
