"""Memory: what a calculation takes at its peak, in a process of its own, as a user starts it.

``python -m benchmarks.memory SIDE CASE DEVICE`` prints a JSON object: by how many bytes the process
grew for inference, its neighbour list included, or for a step of training, from a small calculation
that had already loaded all there is to load; and, of a case that is ours alone, the seconds of a
call with known list.

Ours sets what our command line sets; hippynn has the allocator and the kernel that it starts with,
and finds its pairs as fast and lean as we do. On the CPU the process is held to the memory that is
free, so that what needs more fails by itself.
"""

import ctypes
import gc
import json
import resource
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch

from benchmarks.cases import CASES
from benchmarks.sides import Side, step
from benchmarks.timing import call_time
from mlipkd.device import choose_device
from mlipkd.evaluation.memory import forget_peak, peak

#: The part of the free memory that a process may take.
SHARE = 0.85


@dataclass(frozen=True)
class Usage:
    """What a case takes."""

    bytes: float
    seconds: float | None


def usages(sides: Sequence[Side], key: str, device: torch.device) -> dict[Side, Usage | None]:
    """Measure each in a process of its own; None if it fails, as it does if memory is short."""
    processes = {
        side: subprocess.Popen(
            [sys.executable, "-m", "benchmarks.memory", side, key, str(device)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for side in sides
    }
    found: dict[Side, Usage | None] = {}
    for side, process in processes.items():
        output, errors = process.communicate()
        if process.returncode == 0:
            found[side] = Usage(**json.loads(output.splitlines()[-1]))
        else:
            print(f"memory of {side}, {key}: {errors.strip().splitlines()[-1:]}", file=sys.stderr)
            found[side] = None
    return found


def free_bytes() -> int:
    """Memory that the system could give to a new process."""
    available = Path("/proc/meminfo").read_text().partition("MemAvailable:")[2]
    return 1024 * int(available.split()[0])


def give_back() -> None:
    """Return what is free to the system, so that its use counts as growth."""
    gc.collect()
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)


def main(side: str, key: str, name: str) -> None:
    """Measure and print."""
    if side == "ours":
        device = choose_device(name, threads=1)
    else:
        torch.set_num_threads(1)
        device = torch.device(name)
    if device.type == "cpu":
        limit = int(SHARE * free_bytes())
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    case = CASES[key]
    systems = case.systems()
    small = [systems[0][:8]]
    # One system of ours has its neighbours found in the first call, and kept for the second.
    finds = case.kind == "inference" and not case.alone
    step(cast(Side, side), case, small, device, finds_neighbours=finds)()
    measured = step(cast(Side, side), case, systems, device, finds_neighbours=finds)
    give_back()
    forget_peak(device)
    before = peak(device)
    measured()
    grown = peak(device) - before
    seconds = call_time(measured, 1, device) if case.alone else None
    print(json.dumps({"bytes": grown, "seconds": seconds}))


if __name__ == "__main__":
    main(*sys.argv[1:])
