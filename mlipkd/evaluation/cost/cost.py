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
from typing import TYPE_CHECKING, Annotated

from pydantic import PositiveFloat, PositiveInt

from mlipkd import paths
from mlipkd.config.section import Ascending, Section
from mlipkd.evaluation.core.evaluation import DATASET, Evaluation, Figure, Input, Job, Jobs, Plan
from mlipkd.evaluation.core.rows import Row, write_rows
from mlipkd.evaluation.cost.figures import draw_growth, draw_pareto, draw_weights
from mlipkd.jobs.progress import progress
from mlipkd.paths import DatasetPaths, MemberPaths

if TYPE_CHECKING:
    import torch

    from mlipkd.datasets.dataset import Dataset
    from mlipkd.hipnn.file import Potential

#: How often every model takes its turn.
TURNS = 5
#: The part of the available memory that a run may be expected to take: it is an estimate, and
#: libraries need some, too.
USABLE = 0.8

METRICS = {
    "weights": "1",
    "time": "µs/atom/step",
    "memory": "kB/atom",
    "most_atoms": "1",
}

Costs = dict[tuple[str, int | None], float]
"""By metric, and by number of atoms where it was measured at one of the sizes of ``growth``."""


class CostEvaluation(Section):
    """Time per step of molecular dynamics and memory, per atom."""

    atoms: PositiveInt = 500
    """Atoms of the system at least; configurations of the test split are repeated to reach it."""
    steps: PositiveInt = 10
    """Steps of dynamics that are timed, in each of the repeats."""
    timestep: PositiveFloat = 1.0
    """Time step, fs."""
    growth: Annotated[tuple[PositiveInt, ...], Ascending] = ()
    """Other sizes to measure time and memory at, atoms at least, ascending. Fewer steps are timed
    of larger systems; a size that does not fit into memory is left out."""


def run(job: Job) -> None:
    """Weights, time per step of molecular dynamics and memory per atom, models taking turns; with
    growth in the settings, at several sizes of the system, too.

    Example: mlipkd evaluate cost --settings cost.yaml --dataset dataset.h5 --output cost.csv
    teachers/seed0/model.safetensors students/seed0/model.safetensors
    """
    from mlipkd.datasets.file import DatasetFile
    from mlipkd.evaluation.core.ensembles import dataset_source, source_of
    from mlipkd.evaluation.cost.measurement import example_of
    from mlipkd.hipnn.file import load_potential
    from mlipkd.jobs.device import choose_device

    with DatasetFile(job.file("dataset")) as file:
        example = example_of(file)
        sources = [dataset_source(file)]
    device = choose_device(job.device, job.threads)
    potentials = {model: load_potential(model, device) for model in job.files["models"]}
    rows, notes = evaluate_cost(example, potentials, job.section, job.threads, device)
    sources += [source_of(model, potential) for model, potential in potentials.items()]
    write_rows(job.output, rows, sources, notes)


def evaluate_cost(
    dataset: "Dataset",
    models: "Mapping[Path, Potential]",
    settings: CostEvaluation,
    threads: int,
    device: "torch.device",
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
    from mlipkd.deploy.ase import MLIPKD
    from mlipkd.evaluation.cost import measurement

    shapes = {path: _shape(potential) for path, potential in models.items()}
    distinct = {shapes[path]: path for path in models}
    system = measurement.system_of(dataset, settings.atoms)

    # Memory first, while this process holds none that others need.
    memory = {
        shape: measurement.measure_in_subprocess(
            path, system, threads, device, 1, settings.timestep
        ).memory
        / len(system)
        for shape, path in distinct.items()
    }
    growth, notes = measure_growth(dataset, distinct, memory, settings, threads, device)
    times: dict[str, list[float]] = {shape: [] for shape in distinct}
    turns = [(shape, path) for _ in range(TURNS) for shape, path in distinct.items()]
    for shape, path in progress(turns, len(turns), "runs timed"):
        calculator = MLIPKD(models[path], device)  # anew, or all of them would keep their lists
        times[shape].append(
            measurement.seconds_per_step(system, calculator, settings.steps, settings.timestep)
        )
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
            *key, seed, metric, costs[shape][metric, atoms], METRICS[metric],
            condition="" if atoms is None else "atoms", at=atoms,
        )
        for metric, atoms in max(costs.values(), key=len)
        for key, (seed, shape) in first_members.items()
        if (metric, atoms) in costs[shape]
    ]  # fmt: skip
    return rows, notes


def count_weights(potential: "Potential") -> int:
    """Number of weights, energies of the elements included."""
    return sum(tensor.numel() for tensor in potential.model.state_dict().values())


def _shape(potential: "Potential") -> str:
    """All that the cost depends on."""
    metadata = potential.metadata
    return json.dumps(
        [metadata["architecture"], metadata["species"], str(potential.dtype)], sort_keys=True
    )


def measure_growth(
    dataset: "Dataset",
    models: Mapping[str, Path],
    memory_per_atom: Mapping[str, float],
    settings: CostEvaluation,
    threads: int,
    device: "torch.device",
) -> tuple[dict[str, Costs], list[str]]:
    """Time and memory at the sizes of ``growth``, and the most atoms that fit.

    At each size every model has one turn, in a separate process. About as many steps of one atom
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
    from mlipkd.evaluation.cost import measurement

    if not settings.growth:
        return {name: {} for name in models}, []
    available, atoms = measurement.available_memory(device), 0
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
        system = measurement.system_of(dataset, size)
        atoms = len(system)
        steps = max(1, round(settings.steps * min(1, settings.atoms / atoms)))
        for name in progress(fitting, len(fitting), f"models run with {atoms} atoms"):
            taken = measurement.measure_in_subprocess(
                models[name], system, threads, device, steps, settings.timestep
            )
            times[name][atoms] = taken.time / atoms
            memory[name][atoms] = taken.memory / atoms
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


def _first_members(plan: Plan, dataset: DatasetPaths) -> list[MemberPaths]:
    """The first member of each model that is trained on a dataset; the others cost the same."""
    models = [model for model in plan.trained if model.dataset == dataset.dataset]
    return [plan.members_of(model)[0] for model in models]


def _errors_and_costs(plan: Plan, dataset: DatasetPaths) -> list[str]:
    """Tables to draw errors against costs from, if there are several architectures."""
    several = len({member.model for member in _first_members(plan, dataset)}) > 1
    return [paths.table("errors"), paths.table("cost")] if several else []


def _errors_structure_and_costs(plan: Plan, dataset: DatasetPaths) -> list[str]:
    tables = _errors_and_costs(plan, dataset)
    structure = tables and plan.section(dataset).evaluations.rdf
    return [*tables, paths.table("structure")] if structure else tables


COST = Evaluation(
    name="cost",
    title="Cost",
    run=run,
    jobs=[Jobs(DatasetPaths(), lambda plan: [d for d in plan.datasets if _first_members(plan, d)])],
    inputs=[
        DATASET,
        Input(
            "models",
            lambda plan, about: [member.weights for member in _first_members(plan, about)],
            "Model files, one for each family and model.",
            several=True,
        ),
    ],
    section=CostEvaluation,
    threads=0,
    device=True,
    megabytes=8000,
    minutes=240,
    figures=[
        Figure(
            "pareto",
            title="Errors against time and memory",
            caption="Errors on the test split against what a step of molecular dynamics takes, "
            "time and memory for each atom; below and to the left is better. Points are means over "
            "members with their standard deviations, squares the only models of their "
            "family. A line joins the models that no other of their family beats in both; filled "
            "are those that no model at all beats in both.",
            draw=draw_pareto,
            files=_errors_and_costs,
        ),
        Figure(
            "weights",
            title="Errors against the number of weights",
            caption="Errors against the number of weights; below and to the left is better. Points "
            "are means over members with their standard deviations, squares the only models "
            "of their family. A line joins the models that no other of their family beats in both; "
            "filled are those that no model at all beats in both.",
            draw=draw_weights,
            files=_errors_structure_and_costs,
        ),
        Figure(
            "growth",
            title="Cost against the size of the system",
            caption="Time for a step of molecular dynamics, and memory, both for each atom, as the "
            "system grows. Of each family at most three models are shown; models of the same shape "
            "cost the same and are shown once.",
            draw=draw_growth,
            files=lambda plan, dataset: (
                [paths.table("cost")] if plan.section(dataset).evaluations.cost.growth else []
            ),
        ),
    ],
)
