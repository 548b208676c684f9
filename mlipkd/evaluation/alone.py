"""Alone: the memory and time of one model and system, in a process of its own.

``python -m mlipkd.evaluation.alone MODEL SYSTEM THREADS DEVICE STEPS TIMESTEP`` prints bytes and
seconds. The bytes are what one evaluation of energy and forces takes at its peak, neighbour list
included: on a GPU, what the allocator handed out at most; else, how far the process grew, from a
small evaluation that had already loaded all there is to load. The seconds are those of a step.
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import ase.io
import torch
from ase import Atoms
from ase.md.verlet import VelocityVerlet
from ase.units import fs

from mlipkd.deploy.ase import MLIPKD
from mlipkd.errors import InputError
from mlipkd.evaluation.memory import available, forget_peak, peak
from mlipkd.jobs.device import choose_device

#: Atoms of the evaluation that goes before.
SMALL = 8


class Measured(NamedTuple):
    """What one model takes for one system."""

    memory: float
    """Bytes of one evaluation at its peak."""
    time: float
    """Seconds of a step of dynamics."""


def measure(
    model: Path, system: Atoms, threads: int, device: torch.device, steps: int, timestep: float
) -> Measured:
    """Memory and time of a model file and a system, measured in a process of their own.

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
        # Read without memory beside the system's own, which would hide a part of what is measured.
        file = Path(folder, "system.traj")
        ase.io.write(file, system)
        words = [str(word) for word in (model, file, threads, device, steps, timestep)]
        command = [sys.executable, "-m", "mlipkd.evaluation.alone", *words]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.splitlines() or [f"it ended with status {done.returncode}"])[-1]
        raise InputError(
            f"{model}: expected the cost of {len(system)} atoms, measured in a process of its own, "
            f"which failed: {last}; ask for fewer atoms in cost, or give it more memory"
        )
    return Measured(*(float(number) for number in done.stdout.split()))


def seconds_per_step(start: Atoms, calculator: MLIPKD, steps: int, timestep: float) -> float:
    """Time of a step of NVE dynamics (``timestep`` fs), after one step that is not timed."""
    atoms = start.copy()
    atoms.calc = calculator
    dynamics = VelocityVerlet(atoms, timestep=timestep * fs)
    dynamics.run(1)
    begin = time.perf_counter()
    dynamics.run(steps)
    return (time.perf_counter() - begin) / steps


def evaluate(calculator: MLIPKD, system: Atoms) -> None:
    """Energy and forces, from nothing."""
    calculator.reset()
    system.calc = calculator
    system.get_forces()


def main(model: str, file: str, threads: str, name: str, steps: str, timestep: str) -> None:
    """Measure and print."""
    device = choose_device(name, int(threads))
    if device.type == "cpu" and sys.platform == "linux":
        # What is not there is refused to this process, before the system ends another for it.
        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        resource.setrlimit(resource.RLIMIT_DATA, (int(available(device)), hard))
    system = ase.io.read(file)
    assert isinstance(system, Atoms)
    calculator = MLIPKD(model, device)
    evaluate(calculator, system[:SMALL])
    forget_peak(device)
    before = peak(device)
    evaluate(calculator, system)
    taken = peak(device) - before
    print(taken, seconds_per_step(system, calculator, int(steps), float(timestep)))


if __name__ == "__main__":
    main(*sys.argv[1:])
