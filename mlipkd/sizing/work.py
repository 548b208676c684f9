"""Work: what a job has to do, as a few numbers that its time and its memory are proportional to.

Of time: ``calls`` of what a job does over and over, ``pairs`` of neighbours that are gathered, and
what is ``multiplied`` by the kernels (``hipnn/interaction.py``). Of memory: MB of ``data`` that are
held at one time, and of the ``batch`` that is worked on. What each takes is fitted to benchmarks.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from mlipkd.config.functions import CALCULATOR
from mlipkd.config.model import Architecture
from mlipkd.config.quantities import QUANTITIES
from mlipkd.config.settings import Settings, TrainSettings
from mlipkd.datasets.dataset import BATCH_ATOMS
from mlipkd.datasets.size import Size
from mlipkd.paths import DatasetPaths

MB = 1e6
#: Bytes of a number of the model, of a neighbour in a list (vector, sender, reverse), of all labels
#: of an atom by a member, of its part of a column of a Hessian, and of an atom in a file of COMP6.
NUMBER, PAIR, LABELS, COLUMN, COMP6_ATOM = 4, 20, 64, 24, 24
#: Bytes that the neighbours of training data may take; see ``training/data.py``.
BLOCK = 4 * 2**30
#: Of a loss of curvature, by PyTorch's derivatives: passes through the layers for a product of a
#: Hessian with a vector, and for each column of a whole one; how many more mini-batches of few
#: atoms take as long; arrays of a number for each pair and sensitivity or feature; and the numbers,
#: at least, in those of the columns that are made together (``hipnn/hessian.py``).
PRODUCT, EACH, ROUNDS = 10, 12, {"hvp": 1.4, "hessian": 6}
ARRAYS, TOGETHER = 50, 1e8
#: The kinds of jobs, of which each is estimated alike.
KINDS = ("calculation", "dataset", "dynamics", "inference", "training")


class Work(NamedTuple):
    """What one job has to do: its kind, and what its time and its memory are made of."""

    kind: str
    seconds: dict[str, float]
    megabytes: dict[str, float]


@dataclass
class Job:
    """What a job is about, and what its work follows from."""

    about: Any
    """The paths of the dataset, model or member."""
    settings: Mapping[str, Settings]
    """Those of all jobs of the campaign, by their paths."""
    folder: Path = Path()
    """That the campaign runs in."""
    epochs: int | None = None
    """Those that training took, if it did."""

    @cached_property
    def size(self) -> Size:
        """The dataset's; raises FileNotFoundError before it is made."""
        return Size.read(self.folder / DatasetPaths(self.about.dataset).size)

    @property
    def made(self) -> Any:
        """How the dataset is made."""
        return self.settings[DatasetPaths(self.about.dataset).settings]

    def section(self, evaluation: str) -> Any:
        """The settings of an evaluation."""
        path = DatasetPaths(self.about.dataset).settings_of(evaluation)
        return getattr(self.settings[path], evaluation)

    def trained(self, part: str) -> list[TrainSettings]:
        """All members that are trained and whose paths have this part."""
        jobs = self.settings.items()
        return [
            settings
            for path, settings in jobs
            if part in path and isinstance(settings, TrainSettings)
        ]

    @cached_property
    def members(self) -> list[TrainSettings]:
        """Those that it is about; none if that is a calculator."""
        folder = self.about.folder.removesuffix("/ensemble")
        # Models that are transferred have their settings where they were trained.
        members = self.trained(f"{folder}/") or self.trained(f"/{self.about.model}/")
        if not members and self.about.model != CALCULATOR:
            raise KeyError(f"{folder}/settings.yaml")
        return members

    def bytes(self, files: list[str]) -> int:
        """Of files whose paths count from the campaign's folder."""
        return sum((self.folder / file).stat().st_size for file in files)


def dataset(job: Job) -> Work:
    """Making a dataset: computing its configurations, or reading them from files."""
    source = job.made.source
    data = job.bytes(source.paths) / MB
    seconds = {"start": 1, "calls": source.computed, "file": data}
    return Work("dataset", seconds, {"start": 1, "data": data})


def train(job: Job) -> Work:
    """Training members together."""
    size, members = job.size, job.members
    recipe, shape, split = members[0].recipe, members[0].architecture, members[0].split
    # All seeds draw from the same part of the dataset, even where each draws anew.
    share = 1 - split.test
    if split.train is not None:
        share = min(share, split.train / size.configurations + split.validation)
    configurations, atoms = size.configurations * share, size.atoms * share
    neighbours = size.within(shape.hard_max)
    pairs = atoms * neighbours
    pairs_of_each = max(1, pairs / configurations)
    batch = recipe.batch.configurations or (recipe.batch.pairs or 1) / pairs_of_each
    part = min(1, batch / configurations)
    quantities = {term.quantity for term in recipe.loss}
    # Derivatives of the forces take the way through the layers twice.
    times: float = 2 if any(QUANTITIES[name].order for name in quantities) else 1
    held = times * part * atoms * (_held(shape) + 6 * neighbours)
    arrays = ARRAYS * part * pairs * (shape.sensitivities + shape.width)
    if "hvp" in quantities:
        times, held = times + PRODUCT, held + arrays
    if "hessian" in quantities:
        columns = 3 * size.atoms / size.configurations
        times, held = times + EACH * columns, held + max(3 * arrays, TOGETHER / len(members))
    epochs = job.epochs or recipe.optimiser.epochs
    rounds = 1 + sum(ROUNDS[quantity] for quantity in quantities & ROUNDS.keys())
    batches = epochs * math.ceil(configurations / batch) * rounds
    seconds = passes(size, shape, epochs * atoms, neighbours, times * len(members))
    data = (min(pairs * PAIR, BLOCK) + size.bytes * share) / MB
    megabytes = {"start": 1, "data": data, "batch": held * len(members) * NUMBER / MB}
    return Work("training", {"start": 1, "calls": batches, **seconds}, megabytes)


def predict(job: Job) -> Work:
    """Labelling a dataset by a member or calculator, with Hessians if students learn from them."""
    students = job.trained(f"{DatasetPaths(job.about.dataset).folder}/")
    hessians = any(student.recipe.needs_teachers_hessians for student in students)
    return _label(job, job.size.atoms, hessians)


def errors(job: Job) -> Work:
    """Comparing members or a calculator with the test split."""
    # What is held out of training may be any part of the dataset.
    tested = 1 if job.made.split.held_out else job.made.split.test
    return _label(job, job.size.atoms * tested, job.made.source.has_hessians)


def comp6(job: Job) -> Work:
    """Comparing members with suites, which are read whole."""
    files = [file for suite in job.section("comp6").suites.values() for file in suite.files]
    return _label(job, job.bytes(files) / COMP6_ATOM, at_once=math.inf)


def _label(job: Job, atoms: float, hessians: bool = False, at_once: float = BATCH_ATOMS) -> Work:
    """Predicting the labels of so many atoms, of which so many are held at one time."""
    size, members, at_once = job.size, job.members, min(atoms, at_once)
    # Of a member each column of a Hessian takes as long as energies and forces do, twice as it is a
    # derivative; a calculator displaces each atom both ways along each axis.
    columns = 2 * 3 * size.atoms / size.configurations * hessians
    times = max(1, len(members)) * (1 + columns)
    seconds = {"start": 1, "calls": times * atoms}
    data = at_once * max(1, len(members)) * (LABELS + columns * COLUMN) / MB
    if not members:
        return Work("calculation", seconds, {"start": 1, "data": data})
    shape = members[0].architecture
    neighbours = size.within(shape.hard_max)
    data += at_once * neighbours * PAIR / MB
    batch = size.largest * len(members) * _held(shape) * NUMBER / MB
    seconds |= passes(size, shape, atoms, neighbours, times)
    return Work("inference", seconds, {"start": 1, "data": data, "batch": batch})


def stability(job: Job) -> Work:
    """Dynamics of a packed liquid; raises InputError if ASE's G2 collection lacks its molecule."""
    from mlipkd.dynamics.packing import g2_molecule

    section, members = job.section("stability"), len(job.members)
    # All runs of a member and time step move side by side.
    atoms = section.molecules * len(g2_molecule(section.molecule)) * section.runs
    steps = sum(section.duration * 1e3 / timestep for timestep in section.timesteps) * members
    calls = steps * (section.runs if section.engine == "ase" else 1)
    return _dynamics(job, calls, steps * atoms, runs=atoms)


def liquid(job: Job) -> Work:
    """Dynamics of the liquid of an element: melting, equilibration, sampling, and conservation."""
    section = job.section("liquid")
    times = (section.melting.duration, section.equilibration, section.duration)
    steps = sum(map(section.steps, (*times, section.conservation)))
    return _dynamics(job, steps, steps * section.atoms, atoms=section.atoms)


def replicas(job: Job) -> Work:
    """Dynamics of copies of the dataset's liquid side by side, by members together."""
    section = job.section("replicas")
    atoms = job.size.largest * section.replicas
    steps = (section.equilibration + section.duration) * 1e3 / section.timestep
    return _dynamics(job, steps, steps * atoms * len(job.members), runs=atoms)


def _dynamics(job: Job, calls: float, moved: float, atoms: float = 0, runs: float = 0) -> Work:
    """Steps of ``atoms``, or of ``runs`` side by side; ``moved`` is the sum of atoms over steps."""
    shape = job.members[0].architecture
    neighbours = job.size.packed(shape.hard_max)
    # Models of several layers hold all atoms at one time, others a chunk.
    held = _held(shape) if shape.n_interactions > 1 else 0
    of_atom = (neighbours * PAIR + held * NUMBER) / MB
    return Work(
        "dynamics",
        {"start": 1, "calls": calls, **passes(job.size, shape, moved, neighbours)},
        {"start": 1, "data": atoms * of_atom, "batch": runs * of_atom},
    )


def passes(
    size: Size, shape: Architecture, atoms: float, neighbours: float, times: float = 1
) -> dict[str, float]:
    """Passes of so many atoms through the layers, so many times for each list of neighbours."""
    width, number, components = shape.width, shape.sensitivities, (shape.l_max + 1) ** 2
    later = shape.n_interactions - 1
    of_atom = components * number * size.elements * width + later * number * width**2
    of_atom += shape.n_interactions * (1 + 2 * shape.atom_layers) * width**2
    of_pair = components * number + later * width * (number + components)
    multiplied = times * atoms * (of_atom + neighbours * of_pair)
    return {"pairs": atoms * neighbours, "multiplied": multiplied}


def _held(shape: Architecture) -> float:
    """Numbers that are held for each atom of a batch; as ``hipnn/prediction.py`` counts."""
    later, components = shape.n_interactions > 1, (shape.l_max + 1) ** 2
    return shape.width * (shape.atom_layers + 2 * components + later * 2 * shape.sensitivities)


#: The rules whose time and memory depend on their work.
RULES = (dataset, train, predict, errors, comp6, stability, liquid, replicas)
WORK: dict[str, Callable[[Job], Work]] = {rule.__name__: rule for rule in RULES}
