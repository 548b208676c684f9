"""Growth: how time and memory grow with the system, and how many atoms there is memory for.

Per atom both should be flat. (Matin et al., Digital Discovery 4, 2502 (2025), tell memory by the
most atoms that fit; here that number is a division, so that it takes no run that fails.)
"""

from collections.abc import Mapping
from pathlib import Path

import torch

from mlipkd.config.evaluation import CostEvaluation
from mlipkd.datasets.dataset import Dataset
from mlipkd.evaluation.alone import measure
from mlipkd.evaluation.memory import available
from mlipkd.evaluation.systems import system_of
from mlipkd.jobs.progress import progress

#: The part of the memory there is that a run may be expected to take: it is an estimate, and
#: libraries want some, too.
ROOM = 0.8


def measure_growth(
    dataset: Dataset,
    models: Mapping[str, Path],
    known: Mapping[str, float],
    settings: CostEvaluation,
    threads: int,
    device: torch.device,
) -> tuple[dict[str, dict[str, float]], list[str]]:
    """Time and memory at the sizes of ``growth``, and the most atoms that fit.

    At each size every model has one turn, in a process of its own. About as many steps of one atom
    are timed at all sizes above ``atoms``.

    Args:
        dataset: its first configuration is what the systems are made of.
        models: files to measure, by any name.
        known: their memory in a system of ``atoms``, bytes per atom.
        settings: sizes of the systems and length of the runs.
        threads: of the CPU.
        device: where to run.

    Returns:
        By name, ``most_atoms``, ``atoms<number>/time`` in µs/atom/step and
        ``atoms<number>/memory`` in kB/atom; nothing if no sizes are asked for. And notes on what
        was left out.

    Raises:
        InputError: a run failed, for want of memory perhaps.
    """
    if not settings.growth:
        return {name: {} for name in models}, []
    there_is, atoms = available(device), 0
    notes: list[str] = []
    times: dict[str, dict[int, float]] = {name: {} for name in models}  # s/atom/step, by size
    memory = {name: {settings.atoms: per_atom} for name, per_atom in known.items()}  # bytes/atom
    for wanted in settings.growth:
        if wanted <= atoms:
            continue  # the system before is the first that is as large as this, too
        too_large = {
            name: note
            for name, path in models.items()
            if (note := _too_large(path, wanted, memory[name], there_is))
        }
        notes += too_large.values()
        fitting = [name for name in models if name not in too_large]
        if not fitting:
            continue
        system = system_of(dataset, wanted)
        atoms = len(system)
        steps = max(1, round(settings.steps * min(1, settings.atoms / atoms)))
        for name in progress(fitting, len(fitting), f"models run with {atoms} atoms"):
            taken = measure(models[name], system, threads, device, steps, settings.timestep)
            times[name][atoms] = taken.time / atoms
            memory[name][atoms] = taken.memory / atoms
    found = {
        name: {
            "most_atoms": there_is // _of_largest(memory[name]),
            **{f"atoms{n}/time": value * 1e6 for n, value in times[name].items()},
            **{f"atoms{n}/memory": memory[name][n] / 1e3 for n in times[name]},
        }
        for name in models
    }
    whose = "of the GPU" if device.type == "cuda" else "that this machine makes available"
    notes.append(
        f"most_atoms is a division, not a run: the {there_is / 1e9:.4g} GB {whose}, by the memory "
        "per atom of the largest system measured"
    )
    return found, notes


def _of_largest(memory: Mapping[int, float]) -> float:
    """What the largest system takes, bytes per atom; less than a byte is too little to measure."""
    return max(1.0, memory[max(memory)])


def _too_large(path: Path, wanted: int, memory: Mapping[int, float], there_is: float) -> str | None:
    """Why a size is left out of a model, if it is."""
    expected = wanted * _of_largest(memory)
    if expected <= ROOM * there_is:
        return None
    return (
        f"{path}: {wanted} atoms are left out: judged by {max(memory)} atoms they take "
        f"{expected / 1e9:.3g} GB, more than {ROOM:.0%} of the {there_is / 1e9:.3g} GB there is"
    )
