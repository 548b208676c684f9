"""Measurement of what one model takes for one system: seconds of a step, and memory at the peak.

``python -m mlipkd.evaluation.cost.measurement MODEL SYSTEM THREADS DEVICE STEPS TIMESTEP`` prints
bytes and seconds, measured in that process. The bytes are what one evaluation of energy and forces
takes at its peak, neighbour list included: on a GPU, the most that the allocator handed out;
elsewhere, how far the process grew, from a small evaluation that had already loaded all there is to
load. The seconds are those of a step.

The memory that a process can take is on a GPU the device's, elsewhere what the machine and the
process's control groups leave.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import ase.io
import numpy as np
import torch
from ase import Atoms
from ase.md.verlet import VelocityVerlet
from ase.units import fs, kB

from mlipkd.datasets.atoms import atoms_of
from mlipkd.datasets.dataset import TEST, Dataset
from mlipkd.datasets.file import DatasetFile
from mlipkd.deploy.ase import MLIPKD
from mlipkd.errors import InputError
from mlipkd.jobs.device import choose_device

#: Space between a molecule's outermost nuclei and the next molecule's, Å; about that of a liquid.
GAP = 2.0
#: Temperature of the first velocities, K.
TEMPERATURE = 300.0
#: Atoms of the small evaluation before the one that is measured.
SMALL = 8
#: Where control groups are found, and their limit, what they use, and the part of that in files
#: that can be read again: of version 2, and of version 1.
CONTROL_GROUPS = (
    ("", "", "memory.max", "memory.current", "inactive_file"),
    ("memory", "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


def example_of(dataset: DatasetFile) -> Dataset:
    """The test split's first configuration of several atoms; its first, where all are of one.

    Isolated atoms are among others for the sake of their energies, and their cost says nothing.

    Raises:
        InputError: the test split is empty.
    """
    test = np.flatnonzero(dataset.splits == TEST)  # (test configurations,)
    if len(test) == 0:
        raise InputError(
            f"{dataset.path}: expected a configuration in the test split to measure costs on, got "
            "none; raise split.test and make the dataset again"
        )
    several = test[dataset.sizes[test] > 1]
    return dataset.read([*several, *test][:1])


def system_of(dataset: Dataset, atoms: int) -> Atoms:
    """A system of at least ``atoms`` atoms, made of the dataset's first configuration.

    A periodic one is repeated, directions that are short first. Of a molecule, copies are put on a
    lattice about as dense as a liquid, in free space.
    """
    unit = atoms_of(dataset, 0)
    if not unit.pbc.any():
        centred = unit.positions - unit.positions.mean(axis=0)  # (atoms, 3)
        unit.positions = centred @ np.linalg.svd(centred)[2].T  # along its principal axes
        unit.cell = np.diag(np.ptp(unit.positions, axis=0) + GAP)
    repeated = unit.pbc if unit.pbc.any() else np.ones(3, bool)
    repeats = np.ones(3, int)
    while len(unit) * repeats.prod() < atoms:
        repeats[np.argmin(np.where(repeated, unit.cell.lengths() * repeats, np.inf))] += 1
    system = unit.repeat(repeats)
    if not unit.pbc.any():
        system.cell = None
    normal = np.random.default_rng(0).normal(size=(len(system), 3))  # (atoms, 3)
    system.set_momenta(normal * np.sqrt(system.get_masses()[:, None] * kB * TEMPERATURE))
    return system


class Measurement(NamedTuple):
    """What one model takes for one system."""

    memory: float
    """Bytes of one evaluation at its peak."""
    time: float
    """Seconds of a step of dynamics."""


def measure_in_subprocess(
    model: Path, system: Atoms, threads: int, device: torch.device, steps: int, timestep: float
) -> Measurement:
    """Memory and time of a model file and a system, measured in a separate process.

    Args:
        model: its file.
        system: with the velocities that dynamics begin with.
        threads: of the CPU.
        device: where to run.
        steps: of dynamics that are timed.
        timestep: fs.

    Raises:
        InputError: the process failed, for want of memory perhaps.
    """
    with tempfile.TemporaryDirectory() as folder:
        # Read without further memory, which would hide a part of what is measured.
        file = Path(folder, "system.traj")
        ase.io.write(file, system)
        arguments = [str(value) for value in (model, file, threads, device, steps, timestep)]
        command = [sys.executable, "-m", "mlipkd.evaluation.cost.measurement", *arguments]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.splitlines() or [f"it ended with status {done.returncode}"])[-1]
        raise InputError(
            f"{model}: expected the cost of {len(system)} atoms, measured in a process of its own, "
            f"which failed: {last}; ask for fewer atoms in cost, or give it more memory"
        )
    return Measurement(*(float(number) for number in done.stdout.split()))


def seconds_per_step(start: Atoms, calculator: MLIPKD, steps: int, timestep: float) -> float:
    """Time of a step of NVE dynamics (``timestep`` fs), after one step that is not timed."""
    atoms = start.copy()
    atoms.calc = calculator
    dynamics = VelocityVerlet(atoms, timestep=timestep * fs)
    dynamics.run(1)
    begin = time.perf_counter()
    dynamics.run(steps)
    return (time.perf_counter() - begin) / steps


def available_memory(device: torch.device) -> float:
    """The memory there is to take, bytes: all of a GPU's; else what the machine has left, or a
    control group's limit leaves (https://docs.kernel.org/admin-guide/cgroup-v2.html)."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    if sys.platform != "linux":
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    left = 1024 * _number(Path("/proc/meminfo"), "MemAvailable:")
    return min([left, *left_by_groups(Path("/proc/self/cgroup"), Path("/sys/fs/cgroup"))])


def left_by_groups(groups: Path, root: Path) -> list[float]:
    """What each limit on the control groups of a process leaves, bytes.

    Args:
        groups: names the control groups of the process, ``/proc/self/cgroup``.
        root: where their files are, ``/sys/fs/cgroup``.
    """
    names = dict(line.split(":", 2)[1:] for line in groups.read_text().splitlines())
    left: list[float] = []
    for controller, folder, limit, used, files in CONTROL_GROUPS:
        group = root / folder / names.get(controller, "").strip("/")
        # A container may not see its own group's name, but always sees the top.
        for path in (group, *group.parents):
            if not path.is_relative_to(root / folder):
                break
            if (path / limit).is_file() and (most := (path / limit).read_text().strip()) != "max":
                taken = int((path / used).read_text()) - _number(path / "memory.stat", files)
                left.append(int(most) - taken)
    return left


def peak_memory(device: torch.device) -> float:
    """The most memory in use so far, bytes: on a GPU of the allocator, else of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if sys.platform == "linux":
        # ru_maxrss of a new process begins with its parent's; the high-water mark does not.
        return 1024 * _number(Path("/proc/self/status"), "VmHWM:")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def reset_peak_memory(device: torch.device) -> None:
    """Let the peak be what is in use now, where the system can."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif sys.platform == "linux":
        Path("/proc/self/clear_refs").write_text("5")


def _number(file: Path, name: str) -> int:
    """The number that stands behind a name."""
    return int(file.read_text().partition(name)[2].split()[0])


def _evaluate_anew(calculator: MLIPKD, system: Atoms) -> None:
    """Energy and forces, without what the calculator kept of the evaluation before."""
    calculator.reset()
    system.calc = calculator
    system.get_forces()


def main(model: str, file: str, threads: str, device: str, steps: str, timestep: str) -> None:
    """Measure and print."""
    where = choose_device(device, int(threads))
    if where.type == "cpu" and sys.platform == "linux":
        # What is not there is refused to this process, before the system ends another for it.
        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        resource.setrlimit(resource.RLIMIT_DATA, (int(available_memory(where)), hard))
    system = ase.io.read(file)
    assert isinstance(system, Atoms)
    calculator = MLIPKD(model, where)
    _evaluate_anew(calculator, system[:SMALL])
    reset_peak_memory(where)
    before = peak_memory(where)
    _evaluate_anew(calculator, system)
    taken = peak_memory(where) - before
    print(taken, seconds_per_step(system, calculator, int(steps), float(timestep)))


if __name__ == "__main__":
    main(*sys.argv[1:])
