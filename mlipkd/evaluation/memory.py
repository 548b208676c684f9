"""Memory: what one evaluation of energy and forces takes at its peak, in a process of its own.

``python -m mlipkd.evaluation.memory MODEL SYSTEM THREADS DEVICE`` prints bytes: on a GPU, what the
allocator handed out at most; else, how far the process grew, from a small evaluation that had
already loaded all there is to load.
"""

import resource
import sys
from pathlib import Path

import ase.io
import torch
from ase import Atoms

from mlipkd.deploy.ase import MLIPKD
from mlipkd.device import choose_device

#: Atoms of the evaluation that goes before.
SMALL = 8


def evaluate(calculator: MLIPKD, system: Atoms) -> None:
    """Energy and forces, from nothing."""
    calculator.reset()
    system.calc = calculator
    system.get_forces()


def peak(device: torch.device) -> float:
    """The most memory in use so far, bytes."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated()
    if sys.platform == "linux":
        # ru_maxrss of a new process begins with its parent's; the high-water mark does not.
        status = Path("/proc/self/status").read_text()
        return 1024 * int(status.partition("VmHWM:")[2].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def forget_peak(device: torch.device) -> None:
    """Let the peak be what is in use now, where the system can."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    elif sys.platform == "linux":
        Path("/proc/self/clear_refs").write_text("5")


def main(model: str, file: str, threads: str, name: str) -> None:
    """Measure and print."""
    device = choose_device(name, int(threads))
    system = ase.io.read(file)
    assert isinstance(system, Atoms)
    calculator = MLIPKD(model, device)
    evaluate(calculator, system[:SMALL])
    forget_peak(device)
    before = peak(device)
    evaluate(calculator, system)
    print(peak(device) - before)


if __name__ == "__main__":
    main(*sys.argv[1:])
